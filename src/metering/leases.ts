/** What this process has borrowed of its startups' credit: asked for in the background, renewed each second, given back when not used. */
import type { EventBus } from "../events/event-bus";
import type { FleetingTopics } from "../events/topics";
import { LEASE_TTL_MS } from "../ledger/recall";
import type { Queryable } from "../platform/database";
import { newId } from "../platform/ids";
import { type BudgetSet, BudgetSets } from "./budget-sets";
import type { KnownBudgets } from "./commit-items";
import { Lease, type Moment, type SetAside } from "./lease";
import { LeaseBook } from "./lease-book";
import { BurnMeter, trancheOf } from "./lease-size";
import { LeaseTraffic, type LeaseTrafficDependencies } from "./lease-traffic";
import { ANSWER_TIMEOUT_MS } from "./outage";
import type { Purpose } from "./purpose";

/** Whoever called for the credit has not taken it yet: until then it stays where everybody finds it. */
const QUIET_AFTER_RECALL_MS = 2_000;
/** A wallet that was too small for a lease is not asked for again at every request. */
const QUIET_AFTER_REFUSAL_MS = 1_000;
/** What a purpose needs is remembered for a little longer than it is measured. */
const FORGET_AFTER_MS = 120_000;
/** A process that ends, or is asked for everything, waits so long; what is not back by then is swept. */
const RETURN_PATIENCE_MS = 3_000;

export interface LeasesDependencies extends LeaseTrafficDependencies {
  /** A connection of its own: a beat must not wait behind anything. */
  readonly db: Queryable;
  readonly bus: EventBus;
}

/** For the metrics. */
export interface LeaseFigures {
  readonly leases: number;
  readonly freeNanoCredit: bigint;
  readonly setAsideNanoCredit: bigint;
}

/** Who asks, for what, on which key: what a lease is for follows from it. */
export interface Borrower {
  readonly startupId: string;
  readonly purpose: Purpose;
  readonly apiKeyId: string | null;
}

interface Demand {
  readonly startupId: string;
  readonly purpose: Purpose;
  readonly budgets: BudgetSet;
  readonly burn: BurnMeter;
  lastMs: number;
  /** Asking again before is of no use. */
  quietUntilMs: number;
}

const beatStatement = {
  name: "metering-lease-beat",
  text: "SELECT id, recall_epoch, acknowledged_epoch FROM lease_beat($1, $2)",
  query_timeout: ANSWER_TIMEOUT_MS,
};

export class Leases {
  private readonly book = new LeaseBook();
  private readonly traffic: LeaseTraffic;
  private readonly budgetSets = new BudgetSets();
  /** As the leases, by startup, purpose and budgets. */
  private readonly demands = new Map<string, Demand>();
  /** By startup, or by budget: no new lease before. */
  private readonly quietUntilMs = new Map<string, number>();
  private readonly waiting = new Set<() => void>();
  private draining = false;

  constructor(private readonly its: LeasesDependencies) {
    this.traffic = new LeaseTraffic(its, (lease) => this.afterAct(lease));
    its.bus.on("lease.recalled", (recall) => this.heard(recall));
    // A recall may have been said meanwhile.
    its.bus.on("bus.reconnected", () => void this.beat().catch(its.onFault));
  }

  /** Neither I/O nor waiting: the lease that the request's credit was set aside from, or null. */
  hold(borrower: Borrower, request: SetAside): string | null {
    const now = this.now();
    const budgets = this.budgetSets.of(borrower.startupId, borrower.apiKeyId, now.upMs);
    if (budgets === null) return null;
    const { key, demand } = this.demandOf(borrower, budgets, now.upMs);
    demand.burn.add(request.amountNanoCredit, now.upMs);
    const lease = this.book.hold(key, request, now);
    if (lease === null || lease.low) this.topUp(key, demand, request.amountNanoCredit, now);
    return lease?.id ?? null;
  }

  /** The ledger held a request itself, and told what its key is under: from the next one on that can be borrowed for. */
  learn({ startupId, apiKeyId }: Borrower, told: KnownBudgets | undefined): void {
    this.budgetSets.learn(startupId, apiKeyId, this.its.upMs(), told);
  }

  release(leaseId: string, requestId: string): void {
    this.change(leaseId, (lease) => lease.release(requestId));
  }

  captured(leaseId: string, requestId: string, result: { charged: bigint; fresh: boolean }): void {
    this.change(leaseId, (lease) => lease.capture(requestId, result.charged, result.fresh));
  }

  /** Whether its capture was booked is unknown. */
  doubt(leaseId: string, requestId: string): void {
    this.change(leaseId, (lease) => lease.doubt(requestId));
  }

  /** The ledger says that it is swept, or closed. */
  lost(leaseId: string): void {
    this.change(leaseId, (lease) => lease.lose());
  }

  /** Renews what this process has, hears what is called back, lets go what nobody uses: once a second. Errors: those of pg. */
  async beat(): Promise<void> {
    if (this.book.size > 0) await this.renew();
    const now = this.now();
    for (const lease of [...this.book.all()]) {
      lease.doubtOverdue(now.upMs);
      if (lease.isStale(now)) lease.retire();
      this.giveBack(lease);
    }
    for (const [key, { lastMs }] of this.demands) if (now.upMs - lastMs > FORGET_AFTER_MS) this.demands.delete(key);
    for (const [owner, untilMs] of this.quietUntilMs) if (untilMs <= now.upMs) this.quietUntilMs.delete(owner);
    this.budgetSets.forgetUnused(now.upMs - FORGET_AFTER_MS);
  }

  /** Gives everything back; resolves when it is, but for what is set aside, which follows when its requests end. */
  async returnAll(): Promise<void> {
    for (const lease of [...this.book.all()]) {
      lease.retire();
      this.giveBack(lease);
    }
    if (!this.owes) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, RETURN_PATIENCE_MS);
      const { waiting } = this;
      waiting.add(done);
      function done() {
        clearTimeout(timer);
        waiting.delete(done);
        resolve();
      }
    });
  }

  /** As `returnAll`, and nothing is borrowed again. */
  async close(): Promise<void> {
    this.draining = true;
    await this.returnAll();
    this.traffic.giveUp();
  }

  /** Free in the lease, and in the wallet when it was last asked; null when nobody knows. */
  creditLeft(leaseId: string): bigint | null {
    const lease = this.book.byId(leaseId);
    return lease === undefined || lease.besides === null ? null : lease.free + lease.besides;
  }

  get figures(): LeaseFigures {
    let [freeNanoCredit, setAsideNanoCredit] = [0n, 0n];
    for (const { free, setAside } of this.book.all()) {
      freeNanoCredit += free;
      setAsideNanoCredit += setAside;
    }
    return { leases: this.book.size, freeNanoCredit, setAsideNanoCredit };
  }

  private now(): Moment {
    return { upMs: this.its.upMs(), clockMs: this.its.clock.nowMs() };
  }

  private demandOf(
    { startupId, purpose }: Borrower,
    budgets: BudgetSet,
    upMs: number,
  ): { key: string; demand: Demand } {
    const key = LeaseBook.key(startupId, purpose.key, budgets.key);
    let demand = this.demands.get(key);
    if (demand === undefined) {
      demand = { startupId, purpose, budgets, burn: new BurnMeter(upMs), lastMs: upMs, quietUntilMs: 0 };
      this.demands.set(key, demand);
    }
    demand.lastMs = upMs;
    return { key, demand };
  }

  private topUp(key: string, demand: Demand, holdNanoCredit: bigint, now: Moment): void {
    if (this.draining || demand.quietUntilMs > now.upMs || this.isQuiet(demand, now.upMs)) return;
    const current = this.book.currentOf(key);
    // One that may not serve has lost touch with the ledger, or expires: the next beat decides.
    if (current !== undefined && (current.busy || !current.isUsable(now))) return;
    const tranche = trancheOf({
      burnNanoCreditPerSecond: demand.burn.p99NanoCreditPerSecond(now.upMs),
      freeNanoCredit: current?.free ?? 0n,
      holdNanoCredit,
    });
    if (tranche === null) return;
    const lease = current ?? new Lease(newId(), demand.startupId, key, now.upMs);
    if (current === undefined) this.book.add(lease);
    void this.traffic.ask(lease, demand, tranche).then((code) => {
      // Its keys' next requests are held by the ledger, which tells what they are under now.
      if (code === "BUDGETS_CHANGED") this.budgetSets.forget(demand.startupId);
      else if (code !== "GRANTED") demand.quietUntilMs = this.its.upMs() + QUIET_AFTER_REFUSAL_MS;
    });
  }

  private isQuiet({ startupId, budgets }: Demand, upMs: number): boolean {
    const isSoFor = (owner: string) => (this.quietUntilMs.get(owner) ?? 0) > upMs;
    return isSoFor(startupId) || budgets.ids.some(isSoFor);
  }

  private quieten(owner: string): void {
    this.quietUntilMs.set(owner, this.its.upMs() + QUIET_AFTER_RECALL_MS);
  }

  private async renew(): Promise<void> {
    const { db, instance, upMs } = this.its;
    const sentMs = upMs();
    const rows = await db.query<{ id: string; recall_epoch: number; acknowledged_epoch: number }>(beatStatement, [
      instance,
      LEASE_TTL_MS,
    ]);
    const byId = new Map(rows.map((row) => [row.id, row]));
    for (const lease of [...this.book.all()]) {
      const row = byId.get(lease.id);
      if (row !== undefined) {
        lease.renewed(sentMs);
        if (row.recall_epoch > row.acknowledged_epoch) this.callBack(lease, row.recall_epoch);
      } else if (lease.confirmedMs < sentMs) this.lost(lease.id);
    }
  }

  /** Said by whoever recalls, in this process or another; the next beat would find out, too. */
  private heard({ startupId, budgetId, leases }: FleetingTopics["lease.recalled"]): void {
    for (const { leaseId, epoch } of leases) {
      const lease = this.book.byId(leaseId);
      if (lease !== undefined) this.callBack(lease, epoch);
    }
    const owner = budgetId ?? startupId;
    if (owner == null) return;
    this.quieten(owner);
    // One that was granted a moment after the recall was written is meant as well.
    for (const lease of [...this.book.all()]) {
      if (lease.startupId !== owner && !this.budgetsOf(lease).includes(owner)) continue;
      lease.retire();
      this.giveBack(lease);
    }
  }

  /** Who wants it back is not said: where it is under budgets it may be for one of them, and others of the startup borrow on. */
  private callBack(lease: Lease, epoch: number): void {
    const budgetIds = this.budgetsOf(lease);
    for (const owner of budgetIds.length > 0 ? budgetIds : [lease.startupId]) this.quieten(owner);
    lease.recall(epoch);
    this.giveBack(lease);
  }

  private budgetsOf(lease: Lease): readonly string[] {
    return this.demands.get(lease.key)?.budgets.ids ?? [];
  }

  private change(leaseId: string, act: (lease: Lease) => void): void {
    const lease = this.book.byId(leaseId);
    if (lease === undefined) return;
    act(lease);
    if (lease.phase === "OVER") this.afterAct(lease);
    else this.giveBack(lease);
  }

  private giveBack(lease: Lease): void {
    if (lease.owes && !lease.busy) void this.traffic.giveBack(lease);
  }

  private afterAct(lease: Lease): void {
    if (lease.phase === "OVER") this.book.remove(lease);
    this.giveBack(lease);
    if (!this.owes) for (const done of [...this.waiting]) done();
  }

  /** Something is on its way back, or will be when it is here. */
  private get owes(): boolean {
    for (const lease of this.book.all()) if (lease.busy || lease.owes) return true;
    return false;
  }
}
