/** On whose behalf the code that runs now reads and writes; the database asks it, so that its row policies hold. */
import { AsyncLocalStorage } from "node:async_hooks";

export interface Tenant {
  /** Null for somebody who has not said who they are. */
  readonly id: string | null;
  /** No row policy narrows what this one sees. */
  readonly seesAll: boolean;
}

export interface Acting {
  readonly tenant: Tenant;
  readonly requestId: string;
  /** A replica may answer, if it has what this tenant wrote. */
  readonly reads: "primary" | "replica";
}

const storage = new AsyncLocalStorage<Acting | undefined>();

/** Whatever `work` starts, also what it only awaits later, runs on this behalf. */
export function actAs<T>(acting: Acting, work: () => T): T {
  return storage.run(acting, work);
}

/** For work that belongs to nobody's request although a request set it off. */
export function asSystem<T>(work: () => T): T {
  // Not `exit`: before Node 24 that turns the process's promise hooks off and on again, for every event on the bus.
  return storage.run(undefined, work);
}

/** Undefined: the system itself, for whom no row policy holds. */
export function acting(): Acting | undefined {
  return storage.getStore();
}
