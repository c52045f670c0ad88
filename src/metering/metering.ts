/** The door to metering: authorise a request before it is dispatched, settle it before its last byte, answer what was used. */
import type { EntityManager } from "typeorm";
import type { UsageRecord } from "../../entities/usage-record";
import type { UsageOutcome, Workload } from "../../schema/enums";
import { organisationScope, requireKind, type Viewer } from "../accounts/viewer";
import type { EventBus } from "../events/event-bus";
import { type KeptCredit, readKeptCredit } from "../ledger/kept-credit";
import { Recall } from "../ledger/recall";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError } from "../platform/errors";
import { newId } from "../platform/ids";
import type { Page, PageRequest } from "../platform/page";
import type { Quote } from "../pricing/quote";
import { sharePpm } from "../pricing/rate-card";
import { accrualNanoUsd, chargeNanoCredit } from "../pricing/settlement";
import { tierFor } from "../pricing/tier";
import { gpuNanosFor } from "../pricing/token-price";
import type { CaptureItem, HoldItem, HoldResult } from "./commit-items";
import { refusal } from "./hold-refusal";
import { type LeaseFigures, Leases } from "./leases";
import { creditFor } from "./narrower-purposes";
import { outlast, PATIENCE_MS } from "./outage";
import type { Purpose } from "./purpose";
import { SettlementQueue } from "./settlement-queue";
import { SharedRuns } from "./shared-runs";
import { chargeStage, prolongHold, type StageSettlement, voidStage } from "./stages";
import type { BoundedUsage } from "./usage-bounds";
import { usageMembers } from "./usage-members";
import { type UsageFilter, usageRecords } from "./usage-records";
import { MonthlyVolume } from "./volume";

export { newRequestId } from "./request-id";

export interface Authorisation {
  readonly requestId: string;
  readonly startupId: string;
  /** The key that it came with, whose budgets it has to fit into; null: none, so that no budget counts it. */
  readonly apiKeyId: string | null;
  readonly amountNanoCredit: bigint;
  readonly rateCardId: string;
  readonly ttlMs: number;
  /** Null: for nothing in particular, so that no lease and no lot that is kept for something pays for it. */
  readonly purpose: Purpose | null;
  /** Set aside in the ledger itself whatever is leased: it outlives this process. */
  readonly durable?: true;
  /** Something else can be asked for instead: lent credit is called back only where that is enough. */
  readonly hasAlternative?: boolean;
}

/** What a request's credit was set aside from: a lease of this process, or null for a hold of its own in the ledger. */
export interface Authorised {
  readonly leaseId: string | null;
}

/** Everything that a settlement needs to know about a request that delivered something. */
export interface Delivery {
  readonly requestId: string;
  readonly startupId: string;
  readonly apiKeyId: string;
  readonly providerId: string;
  readonly endpointId: string;
  readonly offeringId: string;
  readonly model: string;
  readonly workload: Workload;
  readonly accelerator: string;
  readonly region: string;
  readonly quote: Quote;
  readonly heldNanoCredit: bigint;
  /** As it was authorised. */
  readonly leaseId: string | null;
  readonly usage: BoundedUsage;
  readonly outcome: UsageOutcome;
  readonly attempts: number;
  readonly streamed: boolean;
  readonly ttftMs: number | null;
  readonly durationMs: number;
  /** SHA-256, base64url: of the body as the startup sent it, and as the provider received it. */
  readonly requestHash?: string;
  readonly upstreamHash?: string;
}

export interface Settlement {
  readonly gpuNanos: bigint;
  readonly chargedNanoCredit: bigint;
}

interface Terms extends Pick<CaptureItem, "period" | "charge" | "accrual" | "usage"> {
  readonly gpuNanos: bigint;
}

const EXPIRED_BATCH_MAX = 200;

/** The billing month of an instant, `YYYY-MM` UTC. */
export const periodOf = (at: Date): string => at.toISOString().slice(0, 7);

export interface MeteringDependencies {
  readonly db: Database;
  readonly bus: EventBus;
  readonly clock: Clock;
  /** Unique id of this process; a new one when left out. */
  readonly instance?: string;
  /** Milliseconds that no clock sets back; a test may stop them. */
  readonly upMs?: () => number;
  readonly recall?: Recall;
  /** What goes wrong in the background. */
  readonly onFault?: (error: unknown) => void;
}

export class Metering {
  private readonly db: Database;
  private readonly bus: EventBus;
  private readonly clock: Clock;
  private readonly queue: SettlementQueue;
  private readonly volume: MonthlyVolume;
  private readonly leases: Leases;
  /** By startup: its credit is being called back from all relays. */
  private readonly recalls: SharedRuns;
  /** By budget: what was lent under it is being called back. */
  private readonly budgetRecalls: SharedRuns;

  constructor(dependencies: MeteringDependencies) {
    const { db, bus, clock, instance = newId(), recall = new Recall({ db, bus }) } = dependencies;
    const { upMs = () => performance.now(), onFault = () => undefined } = dependencies;
    this.db = db;
    this.bus = bus;
    this.clock = clock;
    this.volume = new MonthlyVolume(db);
    this.queue = new SettlementQueue(db.dedicated("settlements"), (startupIds) => {
      for (const startupId of startupIds) bus.publish("balance.changed", { startupId });
    });
    this.leases = new Leases({ db: db.dedicated("leases"), queue: this.queue, bus, clock, instance, upMs, onFault });
    this.recalls = new SharedRuns(async (startupId) => {
      await outlast(() => recall.recall({ startupId }), performance.now() + PATIENCE_MS);
    });
    this.budgetRecalls = new SharedRuns(async (budgetId) => {
      await outlast(() => recall.recall({ budgetId }), performance.now() + PATIENCE_MS);
    });
  }

  /**
   * Sets credit aside for one request before anything is dispatched: in memory from a lease of this process, or durably, which
   * alone is a promise. Its errors: INSUFFICIENT_CREDITS, BUDGET_EXCEEDED (both with details.availableNanoCredit),
   * DATABASE_UNAVAILABLE, OVERLOADED.
   */
  authorise(request: Authorisation): Authorised | Promise<Authorised> {
    const { startupId, apiKeyId, purpose, durable } = request;
    const borrower = purpose === null || durable ? null : { startupId, apiKeyId, purpose };
    const leaseId = borrower && this.leases.hold(borrower, request);
    if (leaseId !== null) return { leaseId };
    return this.holdInLedger(request).then(({ under }) => {
      if (borrower !== null) this.leases.learn(borrower, under);
      return { leaseId };
    });
  }

  /**
   * Charges what was delivered: capture, usage record, provider accrual and spread in one commit.
   * The charge is bounded by the hold. Errors: SETTLEMENT_REFUSED when the hold was resolved by someone else (the sweep, or
   * that of the lease), DATABASE_UNAVAILABLE, OVERLOADED: the client must then not see a complete answer.
   */
  async settle(delivery: Delivery): Promise<Settlement> {
    try {
      return await this.charge(delivery);
    } catch (error) {
      if (delivery.leaseId !== null) this.leases.doubt(delivery.leaseId, delivery.requestId);
      throw error;
    }
  }

  /**
   * Charges a part of a durable hold in the caller's transaction and sets the rest aside under `nextHoldId`; null: it is free
   * again. Call it last: it takes the ledger's lock. Errors: SETTLEMENT_REFUSED when the hold was resolved by someone else.
   */
  async settleStage(tx: EntityManager, delivery: Delivery, nextHoldId: string | null): Promise<StageSettlement> {
    const at = this.clock.now();
    const period = periodOf(at);
    const terms = this.terms(delivery, period, await this.monthlyGpuNanos(delivery.providerId, period, at));
    return chargeStage(tx, delivery, { ...terms, at, nextHoldId });
  }

  /** Frees a durable hold in the caller's transaction. Errors: SETTLEMENT_REFUSED. */
  releaseIn(tx: EntityManager, holdId: string): Promise<void> {
    return voidStage(tx, holdId, this.clock.now());
  }

  /** Lets a durable hold live until then, in the caller's transaction. Errors: SETTLEMENT_REFUSED when it is open no more. */
  prolong(tx: EntityManager, holdId: string, until: Date): Promise<void> {
    return prolongHold(tx, holdId, until);
  }

  /** After the commit of a transaction that settled or released stages. */
  staged({ startupId, providerId }: { startupId: string; providerId: string }): void {
    this.volume.forget(providerId);
    this.bus.publish("balance.changed", { startupId });
  }

  /** Releases a hold without a charge. Repeating it is harmless. Errors: DATABASE_UNAVAILABLE (the sweep releases it later). */
  async release(requestId: string, startupId: string, { leaseId }: Authorised = { leaseId: null }): Promise<void> {
    if (leaseId !== null) return this.leases.release(leaseId, requestId);
    await this.queue.resolve({ holdId: requestId, resolution: "VOIDED", at: this.clock.now() });
    this.bus.publish("balance.changed", { startupId });
  }

  /** What a startup has left for a workload, by the accelerators that it is kept for. Errors: DATABASE_UNAVAILABLE. */
  keptCredit(startupId: string, workload: Workload): Promise<readonly KeptCredit[]> {
    const read = () => readKeptCredit(this.db, startupId, workload, this.clock.now());
    return outlast(read, performance.now() + PATIENCE_MS);
  }

  /** Renews this process's leases and gives back what it does not use; each second where it relays. Errors: those of pg. */
  beatLeases(): Promise<void> {
    return this.leases.beat();
  }

  /** Gives all leased credit back that is not set aside; what is, follows when its requests end. */
  returnLeases(): Promise<void> {
    return this.leases.returnAll();
  }

  /** Holds, settlements and lease acts that wait for the next commit, for the metrics. */
  get queuedWrites(): number {
    return this.queue.queued;
  }

  /** What a startup has left, as far as this process knows without asking; null of a request that draws on no lease. */
  creditLeft({ leaseId }: Authorised): bigint | null {
    return leaseId === null ? null : this.leases.creditLeft(leaseId);
  }

  get leaseFigures(): LeaseFigures {
    return this.leases.figures;
  }

  /** Releases holds whose request never came back, as after a crash; those that ended before `expiredBy`. Returns how many. */
  async sweepExpiredHolds(expiredBy: Date = this.clock.now()): Promise<number> {
    const at = this.clock.now();
    const rows = await this.db.query<{ id: string; startup_id: string }>(
      {
        name: "metering-expired",
        text: `SELECT id, startup_id FROM hold WHERE state = 'HELD' AND expires_at < $1 ORDER BY expires_at LIMIT ${EXPIRED_BATCH_MAX}`,
      },
      [expiredBy],
    );
    const results = await Promise.all(
      rows.map((row) => this.queue.resolve({ holdId: row.id, resolution: "EXPIRED", at })),
    );
    for (const startupId of new Set(rows.map((row) => row.startup_id)))
      this.bus.publish("balance.changed", { startupId });
    return results.filter((result) => result.code === "EXPIRED" && result.fresh).length;
  }

  /** For the end of the process: leases are given back, and everything submitted is committed or refused when this resolves. */
  async drain(): Promise<void> {
    await this.leases.close();
    await this.queue.drain();
  }

  /** The charged requests of a startup; the operator sees all. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT. */
  async usage(viewer: Viewer | null, page: PageRequest, filter: UsageFilter): Promise<Page<UsageRecord>> {
    const { kind } = requireKind(viewer, "READ", "STARTUP", "OPERATOR");
    const startupId = organisationScope(viewer, "READ", filter.startupId);
    // A startup may not find out by filtering who served it.
    const hidden = kind === "OPERATOR" ? {} : { providerId: null, endpointId: null };
    return usageRecords(this.db, page, { ...filter, ...hidden, startupId });
  }

  /** The same records as their provider sees them; the operator sees all. Errors: as `usage`. */
  async deliveries(viewer: Viewer | null, page: PageRequest, filter: UsageFilter): Promise<Page<UsageRecord>> {
    const { kind } = requireKind(viewer, "READ", "PROVIDER", "OPERATOR");
    const providerId = organisationScope(viewer, "READ", filter.providerId);
    // Nor a provider whom it serves.
    const hidden = kind === "OPERATOR" ? {} : { startupId: null };
    return usageRecords(this.db, page, { ...filter, ...hidden, providerId });
  }

  private async holdInLedger(request: Authorisation): Promise<HoldResult> {
    const now = this.clock.now();
    const item: HoldItem = {
      id: request.requestId,
      startupId: request.startupId,
      amount: request.amountNanoCredit.toString(),
      rateCardId: request.rateCardId,
      placedAt: now,
      expiresAt: new Date(now.getTime() + request.ttlMs),
      accelerators: request.purpose?.accelerators ?? null,
      workload: request.purpose?.workload ?? null,
      apiKeyId: request.apiKeyId,
    };
    const calledBack = new Set<string>();
    for (;;) {
      const result = await this.queue.hold(item);
      if (result.code === "HELD") return result;
      if (result.code === "HOLD_ID_REUSED") throw new Error(`hold ${request.requestId} exists with another amount`);
      // Relays hold credit, of the wallet or under a budget, that nobody may be using: nobody is refused for its want before
      // it was called back.
      const lender = result.budget?.id ?? request.startupId;
      if (BigInt(result.leased ?? 0) === 0n || calledBack.has(lender)) throw refusal(result, request.amountNanoCredit);
      if (result.budget == null) await this.refuseInVain(request, result);
      calledBack.add(lender);
      await (result.budget == null ? this.recalls : this.budgetRecalls).run(lender);
    }
  }

  /** Of what is lent to relays, credit that may not pay for this is called back for nobody's good. Errors: INSUFFICIENT_CREDITS. */
  private async refuseInVain(request: Authorisation, result: HoldResult): Promise<void> {
    const { startupId, purpose, amountNanoCredit, hasAlternative = false } = request;
    if (purpose === null) return;
    const credit = creditFor(purpose, await this.keptCredit(startupId, purpose.workload));
    const { freeNanoCredit, leasedNanoCredit } = credit;
    if (freeNanoCredit + leasedNanoCredit >= amountNanoCredit) return;
    // The figures of a refusal that is the last word have to be those after the recall.
    if (leasedNanoCredit > 0n && !hasAlternative) return;
    throw refusal({ ...result, available: freeNanoCredit.toString() }, amountNanoCredit);
  }

  private async charge(delivery: Delivery): Promise<Settlement> {
    const { providerId, leaseId, requestId } = delivery;
    const at = this.clock.now();
    const period = periodOf(at);
    const known = this.volume.peek(providerId, period, at.getTime());
    const terms = this.terms(delivery, period, known ?? (await this.monthlyGpuNanos(providerId, period, at)));
    const { gpuNanos } = terms;
    const result = await this.book(delivery, at, terms);
    if (leaseId !== null && result.code === "LEASE_LOST") this.leases.lost(leaseId);
    if (result.code !== "CAPTURED") {
      throw new DomainError("SETTLEMENT_REFUSED", "The hold of this request was released before it could be settled.");
    }
    const chargedNanoCredit = BigInt(result.charged);
    if (leaseId !== null) this.leases.captured(leaseId, requestId, { charged: chargedNanoCredit, fresh: result.fresh });
    if (result.fresh) this.volume.add(providerId, period, gpuNanos);
    // Whether an earlier attempt of this process counted it is unknown, when its reply was lost: read it again.
    else this.volume.forget(providerId);
    this.bus.publish("balance.changed", { startupId: delivery.startupId });
    return { gpuNanos, chargedNanoCredit };
  }

  /** What the delivery comes to: charge, accrual and the members of its usage record. */
  private terms(delivery: Delivery, period: string, monthlyGpuNanos: bigint): Terms {
    const { quote } = delivery;
    const gpuNanos = gpuNanosFor(delivery.usage, quote.throughput);
    const price = chargeNanoCredit(gpuNanos, quote.fixingNanoUsdPerGpuHour, quote.card);
    const accrualSharePpm = sharePpm(quote.card, tierFor(quote.card, monthlyGpuNanos + gpuNanos));
    return {
      gpuNanos,
      period,
      charge: (price < delivery.heldNanoCredit ? price : delivery.heldNanoCredit).toString(),
      accrual: accrualNanoUsd(gpuNanos, quote.fixingNanoUsdPerGpuHour, accrualSharePpm).toString(),
      usage: usageMembers(delivery, { gpuNanos, accrualSharePpm }),
    };
  }

  /** Member by member: to spread the terms costs more than to work them out. */
  private book(delivery: Delivery, at: Date, { period, charge, accrual, usage }: Terms) {
    const { requestId, startupId, leaseId, providerId } = delivery;
    if (leaseId === null) {
      const resolution = "CAPTURED";
      return this.queue.resolve({ holdId: requestId, resolution, at, charge, accrual, providerId, period, usage });
    }
    const rateCardId = delivery.quote.card.id;
    const held = delivery.heldNanoCredit.toString();
    const item = {
      id: requestId,
      startupId,
      leaseId,
      rateCardId,
      held,
      at,
      charge,
      accrual,
      providerId,
      period,
      usage,
    };
    return this.queue.capture(item);
  }

  private async monthlyGpuNanos(providerId: string, period: string, at: Date): Promise<bigint> {
    const known = this.volume.peek(providerId, period, at.getTime());
    if (known !== null) return known;
    // The first settlement for a provider may meet an outage here, before it reaches the queue that would outlast it.
    await outlast(() => this.volume.read(providerId, period, at.getTime()), performance.now() + PATIENCE_MS);
    return this.volume.peek(providerId, period, at.getTime()) ?? 0n;
  }
}
