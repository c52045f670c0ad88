/** Credit that is lent to relay processes called back, and taken from those that are dead. */
import type { EventBus } from "../events/event-bus";
import type { Database } from "../platform/database";
import { asSystem } from "../platform/tenancy";

/** A process that does not renew its leases for so long counts as dead; on the database's clock. */
export const LEASE_TTL_MS = 10_000;
/** Its bus may be away: then it hears of a recall at its next beat. */
const REREAD_MS = 25;
/** By then it has answered, or is dead and swept. */
const PATIENCE_MS = LEASE_TTL_MS + 2_000;

/** Leases with credit of these; what is left out narrows nothing. */
export interface RecallScope {
  readonly startupId?: string | null;
  readonly facilityId?: string | null;
  readonly lotId?: string | null;
  /** Alone: leases whose requests are under this budget. */
  readonly budgetId?: string | null;
}

export interface Recalled {
  /** How many were asked to come back. */
  readonly leases: number;
  /** How many had not answered when patience ended. */
  readonly outstanding: number;
  readonly waitedMs: number;
}

interface Outstanding {
  id: string;
  dead: boolean;
}

const recallStatement = {
  name: "ledger-lease-recall",
  text: "SELECT lease_id, recall_epoch FROM lease_recall($1, $2, $3)",
};
const budgetStatement = {
  name: "ledger-lease-recall-budget",
  text: "SELECT lease_id, recall_epoch FROM budget_recall($1)",
};
/** Of those that were asked: which have neither answered nor ended. */
const outstandingStatement = {
  name: "ledger-lease-outstanding",
  text: `SELECT l.id, l.expires_at < clock_timestamp() AS dead
           FROM unnest($1::uuid[], $2::int[]) AS asked(id, epoch) JOIN lease l ON l.id = asked.id
          WHERE l.state = 'ACTIVE' AND l.acknowledged_epoch < asked.epoch`,
};
const sweepStatement = { name: "ledger-lease-sweep", text: "SELECT lease_id, startup_id FROM lease_sweep()" };

export class Recall {
  private readonly db: Database;
  private readonly bus: EventBus;

  constructor(dependencies: { db: Database; bus: EventBus }) {
    this.db = dependencies.db;
    this.bus = dependencies.bus;
  }

  /**
   * Resolves when every lease that it covers has given back what was not set aside for a request, or is gone. What was set
   * aside is still captured. Call it after the commit of what must hold for the credit from now on. Errors: those of pg.
   */
  recall(scope: RecallScope): Promise<Recalled> {
    return asSystem(() => this.callBack(scope));
  }

  /** Gives the credit of dead processes back to its lots. Returns how many leases they had. Errors: those of pg. */
  async sweep(): Promise<number> {
    const rows = await asSystem(() => this.db.query<{ lease_id: string; startup_id: string }>(sweepStatement, []));
    for (const { lease_id: leaseId, startup_id: startupId } of rows) {
      this.bus.publish("lease.returned", { leaseId, startupId });
      this.bus.publish("balance.changed", { startupId });
    }
    return rows.length;
  }

  private async callBack(scope: RecallScope): Promise<Recalled> {
    const { startupId = null, facilityId = null, lotId = null, budgetId = null } = scope;
    const beganMs = performance.now();
    const rows = await this.db.query<{ lease_id: string; recall_epoch: number }>(
      budgetId === null ? recallStatement : budgetStatement,
      budgetId === null ? [startupId, facilityId, lotId] : [budgetId],
    );
    const asked = new Map(rows.map((row) => [row.lease_id, row.recall_epoch]));
    const answers = this.listen(asked);
    try {
      const leases = [...asked].map(([leaseId, epoch]) => ({ leaseId, epoch }));
      this.bus.publish("lease.recalled", { startupId, facilityId, lotId, budgetId, leases });
      while (asked.size > 0 && performance.now() - beganMs < PATIENCE_MS) {
        await answers.next();
        await this.reread(asked);
      }
    } finally {
      answers.end();
    }
    return { leases: rows.length, outstanding: asked.size, waitedMs: performance.now() - beganMs };
  }

  /** Forgets those that have answered or ended; sweeps where one is dead. */
  private async reread(asked: Map<string, number>): Promise<void> {
    const outstanding = await this.db.query<Outstanding>(outstandingStatement, [
      [...asked.keys()],
      [...asked.values()],
    ]);
    const open = new Set(outstanding.map(({ id }) => id));
    for (const id of asked.keys()) if (!open.has(id)) asked.delete(id);
    if (outstanding.some(({ dead }) => dead)) await this.sweep();
  }

  /** `next` resolves when all that were asked have been heard of, and after REREAD_MS in any case. */
  private listen(asked: ReadonlyMap<string, number>) {
    const heard = new Set<string>();
    let wake: () => void = () => undefined;
    const off = this.bus.on("lease.returned", ({ leaseId }) => {
      if (!asked.has(leaseId)) return;
      heard.add(leaseId);
      if (heard.size >= asked.size) wake();
    });
    return {
      end: off,
      next: () =>
        new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, REREAD_MS);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
          if (heard.size >= asked.size) wake();
        }).finally(() => heard.clear()),
    };
  }
}
