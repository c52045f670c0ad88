/** Whose wallet a viewer may look at: a startup's own, or the one that an operator names. */
import { organisationScope, requireKind, type Viewer } from "../accounts/viewer";
import { DomainError } from "../platform/errors";

/** Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND; BAD_USER_INPUT when an operator names nobody. */
export function startupWithCredit(viewer: Viewer | null, asked: string | null): string {
  const known = requireKind(viewer, "READ", "STARTUP", "OPERATOR");
  const startupId = organisationScope(known, "READ", asked);
  if (startupId === null) {
    throw new DomainError("BAD_USER_INPUT", "An operator has to name the startup: startupId.", { field: "startupId" });
  }
  return startupId;
}
