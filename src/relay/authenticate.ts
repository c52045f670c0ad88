/** Bearer key → the startup that pays. */
import type { IncomingMessage } from "node:http";
import type { Accounts } from "../accounts/accounts";
import type { Viewer } from "../accounts/viewer";
import { DomainError } from "../platform/errors";

/** A workload is charged to a key: people and sessions send none. */
export type Payer = Viewer & { readonly keyId: string };

/** The scheme's name may come in any case (RFC 9110 §11.1). */
const bearer = /^bearer +(\S+) *$/i;

/** Errors: UNAUTHENTICATED, FORBIDDEN. Answers without waiting when the key was seen within the last seconds. */
export function authenticate(accounts: Accounts, request: IncomingMessage): Payer | Promise<Payer> {
  const secret = bearer.exec(request.headers.authorization ?? "")?.[1];
  const cached = accounts.authenticateCached(secret);
  return cached === undefined ? accounts.authenticate(secret).then(mayInfer) : mayInfer(cached);
}

function mayInfer(viewer: Viewer | null): Payer {
  if (viewer === null || !isPayer(viewer)) {
    throw new DomainError("UNAUTHENTICATED", "Missing or unknown API key. Send it as `Authorization: Bearer exg_…`.");
  }
  if (viewer.kind !== "STARTUP" || !viewer.scopes.has("INFER")) {
    throw new DomainError("FORBIDDEN", "This key may not send workloads: use a startup's key with the scope INFER.");
  }
  return viewer;
}

function isPayer(viewer: Viewer): viewer is Payer {
  return viewer.keyId !== null;
}
