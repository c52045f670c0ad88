/** Whose part of the ledger a viewer may read: an organisation its own accounts, an operator all. */
import { organisationScope, type Viewer } from "../accounts/viewer";
import type { BooksOf } from "../ledger/ledger-books";

/** Errors: UNAUTHENTICATED, FORBIDDEN; NOT_FOUND when another organisation's are asked for. */
export function booksOf(viewer: Viewer | null, asked?: string | null): BooksOf {
  const organisationId = organisationScope(viewer, "READ", asked);
  return viewer?.kind === "OPERATOR" || organisationId === null ? null : { organisationId };
}
