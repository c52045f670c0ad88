/** Which budgets a process knows its startups' keys to be under: leases are for one such set, so that no request asks the ledger. No I/O. */
import type { KnownBudgets } from "./commit-items";

export interface BudgetSet {
  readonly ids: readonly string[];
  /** The startup's, when this was so: the ledger lends nothing to whoever has missed a change. */
  readonly epoch: number;
  /** Same for the same set at the same epoch. */
  readonly key: string;
}

interface Known {
  readonly epoch: number;
  /** Of any key, where the startup has no budget; else null. */
  readonly every: BudgetSet | null;
  readonly byKey: Map<string, BudgetSet>;
  lastMs: number;
}

/** What the ledger leaves out of its answer. */
const unbudgeted: KnownBudgets = { epoch: 0, standing: false, ids: [] };
/** Of a startup of which nobody ever set a budget, and of a request that comes with no key. */
const none = (epoch: number): BudgetSet => ({ ids: [], epoch, key: `${epoch}` });

export class BudgetSets {
  private readonly startups = new Map<string, Known>();

  /** Null: only the ledger can tell, which does so with the answer to a hold. */
  of(startupId: string, apiKeyId: string | null, upMs: number): BudgetSet | null {
    const known = this.startups.get(startupId);
    if (known === undefined) return null;
    known.lastMs = upMs;
    if (known.every !== null) return known.every;
    return apiKeyId === null ? none(known.epoch) : (known.byKey.get(apiKeyId) ?? null);
  }

  learn(startupId: string, apiKeyId: string | null, upMs: number, told: KnownBudgets = unbudgeted): void {
    const { epoch, standing, ids } = told;
    const before = this.startups.get(startupId);
    // Answers may come out of order: what is newer is known already.
    if (before !== undefined && before.epoch > epoch) return;
    const every = standing ? null : none(epoch);
    const keep = before !== undefined && before.epoch === epoch && before.every === null && every === null;
    const known = keep ? before : { epoch, every, byKey: new Map<string, BudgetSet>(), lastMs: upMs };
    if (!keep) this.startups.set(startupId, known);
    const set = { ids, epoch, key: ids.length === 0 ? `${epoch}` : `${epoch}|${ids.join(",")}` };
    if (apiKeyId !== null && standing) known.byKey.set(apiKeyId, set);
  }

  forget(startupId: string): void {
    this.startups.delete(startupId);
  }

  forgetUnused(beforeMs: number): void {
    for (const [startupId, { lastMs }] of this.startups) if (lastMs < beforeMs) this.startups.delete(startupId);
  }
}
