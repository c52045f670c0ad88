/** The door to the running system itself: which processes make it up. */
import { requireKind, type Viewer } from "../accounts/viewer";
import type { Presence, Processes } from "../events/presence";

export class System {
  constructor(private readonly dependencies: { readonly processes: Processes }) {}

  /** The longest running first; while Redis is away the one that answers. Errors: UNAUTHENTICATED, FORBIDDEN. */
  async processes(viewer: Viewer | null): Promise<Presence[]> {
    requireKind(viewer, "READ", "OPERATOR");
    return this.dependencies.processes.list();
  }
}
