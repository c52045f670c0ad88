/** Bearer key → the startup that pays. */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Accounts } from "../accounts/accounts";
import type { Viewer } from "../accounts/viewer";
import { DomainError } from "../platform/errors";

/** A workload is charged to a key: people and sessions send none. */
export type Payer = Viewer & { readonly keyId: string };

/** The scheme's name may come in any case (RFC 9110 §11.1). */
const bearer = /^bearer +(\S+) *$/i;

/** Errors: UNAUTHENTICATED, FORBIDDEN. Answers without waiting when the key was seen within the last seconds. */
export function authenticate(accounts: Accounts, request: IncomingMessage): Payer | Promise<Payer> {
  const header = request.headers.authorization ?? "";
  let last = lastOf.get(request.socket);
  if (last?.header !== header) {
    last = { header, recognised: accounts.recognise(secretIn(header)) };
    lastOf.set(request.socket, last);
  }
  const cached = accounts.authenticateRecognised(last.recognised);
  return cached === undefined ? accounts.authenticate(secretIn(header)).then(mayInfer) : mayInfer(cached);
}

/**
 * What the last header of a connection came to: a client sends the same one on it again and again, and recognising a secret
 * takes 12 µs. Whether it is still good is asked each time.
 */
const lastOf = new WeakMap<Socket, { readonly header: string; readonly recognised: Buffer | null }>();

const secretIn = (header: string): string | undefined => bearer.exec(header)?.[1];

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
