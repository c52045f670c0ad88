/** Runs the resolvers of one operation, or of one event of a stream, as its viewer: doors check, and PostgreSQL checks again. */
import type { Viewer } from "../accounts/viewer";
import { type Acting, actAs } from "../platform/tenancy";

export function onBehalfOf<T>(viewer: Viewer | null, requestId: string, reads: Acting["reads"], work: () => T): T {
  const tenant = { id: viewer?.organisationId ?? null, seesAll: viewer?.kind === "OPERATOR" };
  return actAs({ tenant, requestId, reads }, work);
}
