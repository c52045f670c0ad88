/** `Authorization: Bearer …` → viewer, for HTTP and WebSocket. */
import type { Accounts } from "../accounts/accounts";
import type { Viewer } from "../accounts/viewer";
import { DomainError } from "../platform/errors";

const BEARER = /^Bearer +(\S+) *$/i;

/** Undefined: none was sent. Null: something else than a bearer key was. */
export function bearerOf(header: string | undefined): string | null | undefined {
  if (header === undefined || header === "") return undefined;
  return BEARER.exec(header)?.[1] ?? null;
}

/** Null without a key, so that public queries need none; a bad key is an error even there. Errors: UNAUTHENTICATED. */
export async function viewerOf(accounts: Accounts, header: string | undefined): Promise<Viewer | null> {
  const secret = bearerOf(header);
  if (secret === undefined) return null;
  const viewer = secret === null ? null : await accounts.authenticate(secret);
  if (viewer === null) {
    throw new DomainError(
      "UNAUTHENTICATED",
      "This API key is unknown, revoked or expired. Send `Authorization: Bearer exg_…`.",
    );
  }
  return viewer;
}
