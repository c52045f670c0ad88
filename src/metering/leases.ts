/** What this process has borrowed of its startups' credit: asked for in the background, renewed each second, given back when not used. */
import type { EventBus } from "../events/event-bus";
import type { FleetingTopics } from "../events/topics";
import { LEASE_TTL_MS } from "../ledger/recall";
import type { Queryable } from "../platform/database";
import { newId } from "../platform/ids";
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

interface Demand {
  readonly startupId: string;
  readonly purpose: Purpose;
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
  /** By startup and purpose. */
  private readonly demands = new Map<string, Demand>();
  /** By startup: no new lease before. */
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
  hold(startupId: string, purpose: Purpose, request: SetAside): string | null {
    const now = this.now();
    const key = LeaseBook.key(startupId, purpose.key);
    const demand = this.demandOf(key, startupId, purpose, now.upMs);
    demand.lastMs = now.upMs;
    demand.burn.add(request.amountNanoCredit, now.upMs);
    const lease = this.book.hold(key, request, now);
    if (lease === null || lease.low) this.topUp(key, demand, request.amountNanoCredit, now);
    return lease?.id ?? null;
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
    for (const [startupId, untilMs] of this.quietUntilMs) if (untilMs <= now.upMs) this.quietUntilMs.delete(startupId);
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

  private demandOf(key: string, startupId: string, purpose: Purpose, upMs: number): Demand {
    const known = this.demands.get(key);
    if (known !== undefined) return known;
    const demand = { startupId, purpose, burn: new BurnMeter(upMs), lastMs: upMs, quietUntilMs: 0 };
    this.demands.set(key, demand);
    return demand;
  }

  private topUp(key: string, demand: Demand, holdNanoCredit: bigint, now: Moment): void {
    if (this.draining || demand.quietUntilMs > now.upMs || this.isQuiet(demand.startupId, now.upMs)) return;
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
    void this.traffic.ask(lease, demand.purpose, tranche).then((code) => {
      if (code !== "GRANTED") demand.quietUntilMs = this.its.upMs() + QUIET_AFTER_REFUSAL_MS;
    });
  }

  private isQuiet(startupId: string, upMs: number): boolean {
    return (this.quietUntilMs.get(startupId) ?? 0) > upMs;
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
  private heard({ startupId, leases }: FleetingTopics["lease.recalled"]): void {
    for (const { leaseId, epoch } of leases) {
      const lease = this.book.byId(leaseId);
      if (lease !== undefined) this.callBack(lease, epoch);
    }
    if (startupId == null) return;
    this.quietUntilMs.set(startupId, this.its.upMs() + QUIET_AFTER_RECALL_MS);
    // One that was granted a moment after the recall was written is meant as well.
    for (const lease of [...this.book.all()]) {
      if (lease.startupId !== startupId) continue;
      lease.retire();
      this.giveBack(lease);
    }
  }

  private callBack(lease: Lease, epoch: number): void {
    this.quietUntilMs.set(lease.startupId, this.its.upMs() + QUIET_AFTER_RECALL_MS);
    lease.recall(epoch);
    this.giveBack(lease);
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
