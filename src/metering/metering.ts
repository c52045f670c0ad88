/** The door to metering: authorise a request before it is dispatched, settle it before its last byte, answer what was used. */
import { UsageRecord } from "../../entities/usage-record";
import type { UsageOutcome } from "../../schema/enums";
import { organisationScope, requireKind, type Viewer } from "../accounts/viewer";
import type { EventBus } from "../events/event-bus";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError } from "../platform/errors";
import { newId } from "../platform/ids";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
import type { Quote } from "../pricing/quote";
import { sharePpm } from "../pricing/rate-card";
import { accrualNanoUsd, chargeNanoCredit } from "../pricing/settlement";
import { tierFor } from "../pricing/tier";
import { gpuNanosFor } from "../pricing/token-price";
import { outlast, PATIENCE_MS } from "./outage";
import { SettlementQueue } from "./settlement-queue";
import type { BoundedUsage } from "./usage-bounds";
import { MonthlyVolume } from "./volume";

export interface Authorisation {
  readonly requestId: string;
  readonly startupId: string;
  readonly amountNanoCredit: bigint;
  readonly rateCardId: string;
  readonly ttlMs: number;
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
  readonly accelerator: string;
  readonly region: string;
  readonly quote: Quote;
  readonly heldNanoCredit: bigint;
  readonly usage: BoundedUsage;
  readonly outcome: UsageOutcome;
  readonly attempts: number;
  readonly streamed: boolean;
  readonly ttftMs: number | null;
  readonly durationMs: number;
}

export interface Settlement {
  readonly gpuNanos: bigint;
  readonly chargedNanoCredit: bigint;
}

export interface UsageFilter {
  readonly startupId?: string | null;
  readonly providerId?: string | null;
  readonly endpointId?: string | null;
  readonly model?: string | null;
  readonly outcome?: UsageOutcome | null;
  readonly period?: string | null;
  readonly from?: Date | null;
  readonly to?: Date | null;
}

const EXPIRED_BATCH_MAX = 200;

/** A request's id: a UUIDv7 whose last three digits are free for the ids of its transfers (see ledger_leg_id). */
export function newRequestId(): string {
  return `${newId().slice(0, 33)}000`;
}

/** The billing month of an instant, `YYYY-MM` UTC. */
export const periodOf = (at: Date): string => at.toISOString().slice(0, 7);

export class Metering {
  private readonly db: Database;
  private readonly bus: EventBus;
  private readonly clock: Clock;
  private readonly queue: SettlementQueue;
  private readonly volume: MonthlyVolume;

  constructor(dependencies: { db: Database; bus: EventBus; clock: Clock }) {
    this.db = dependencies.db;
    this.bus = dependencies.bus;
    this.clock = dependencies.clock;
    this.volume = new MonthlyVolume(this.db);
    this.queue = new SettlementQueue(this.db.dedicated("settlements"), (startupIds) => {
      for (const startupId of startupIds) this.bus.publish("balance.changed", { startupId });
    });
  }

  /**
   * Sets credit aside for one request, durably, before anything is dispatched.
   * Errors: INSUFFICIENT_CREDITS (details.availableNanoCredit), DATABASE_UNAVAILABLE, OVERLOADED.
   */
  async authorise(request: Authorisation): Promise<void> {
    const now = this.clock.now();
    const result = await this.queue.hold({
      id: request.requestId,
      startupId: request.startupId,
      amount: request.amountNanoCredit.toString(),
      rateCardId: request.rateCardId,
      placedAt: now,
      expiresAt: new Date(now.getTime() + request.ttlMs),
    });
    if (result.code === "HELD") return;
    if (result.code === "HOLD_ID_REUSED") throw new Error(`hold ${request.requestId} exists with another amount`);
    throw new DomainError("INSUFFICIENT_CREDITS", "The credit that is left does not cover this request.", {
      details: { availableNanoCredit: BigInt(result.available ?? 0), neededNanoCredit: request.amountNanoCredit },
    });
  }

  /**
   * Charges what was delivered: capture, usage record, provider accrual and spread in one commit.
   * The charge is bounded by the hold. Errors: SETTLEMENT_REFUSED when the hold was resolved by someone else (the sweep),
   * DATABASE_UNAVAILABLE, OVERLOADED: the client must then not see a complete answer.
   */
  async settle(delivery: Delivery): Promise<Settlement> {
    const at = this.clock.now();
    const period = periodOf(at);
    const { quote } = delivery;
    const gpuNanos = gpuNanosFor(delivery.usage, quote.throughput);
    const price = chargeNanoCredit(gpuNanos, quote.fixingNanoUsdPerGpuHour, quote.card);
    const share = sharePpm(
      quote.card,
      tierFor(quote.card, (await this.monthlyGpuNanos(delivery.providerId, period, at)) + gpuNanos),
    );
    const result = await this.queue.resolve({
      holdId: delivery.requestId,
      resolution: "CAPTURED",
      at,
      charge: (price < delivery.heldNanoCredit ? price : delivery.heldNanoCredit).toString(),
      accrual: accrualNanoUsd(gpuNanos, quote.fixingNanoUsdPerGpuHour, share).toString(),
      providerId: delivery.providerId,
      period,
      usage: {
        apiKeyId: delivery.apiKeyId,
        endpointId: delivery.endpointId,
        offeringId: delivery.offeringId,
        fixingId: quote.fixingId,
        model: delivery.model,
        accelerator: delivery.accelerator,
        region: delivery.region,
        outcome: delivery.outcome,
        promptTokens: delivery.usage.promptTokens,
        completionTokens: delivery.usage.completionTokens,
        usageBounded: delivery.usage.clamped || delivery.usage.source === "ESTIMATED",
        gpuNanos: gpuNanos.toString(),
        accrualSharePpm: share.toString(),
        attempts: delivery.attempts,
        streamed: delivery.streamed,
        ttftMs: delivery.ttftMs,
        durationMs: delivery.durationMs,
      },
    });
    if (result.code !== "CAPTURED") {
      throw new DomainError("SETTLEMENT_REFUSED", "The hold of this request was released before it could be settled.");
    }
    if (result.fresh) this.volume.add(delivery.providerId, period, gpuNanos);
    // Whether an earlier attempt of this process counted it is unknown, when its reply was lost: read it again.
    else this.volume.forget(delivery.providerId);
    this.bus.publish("balance.changed", { startupId: delivery.startupId });
    return { gpuNanos, chargedNanoCredit: BigInt(result.charged) };
  }

  /** Releases a hold without a charge. Repeating it is harmless. Errors: DATABASE_UNAVAILABLE (the sweep releases it later). */
  async release(requestId: string, startupId: string): Promise<void> {
    await this.queue.resolve({ holdId: requestId, resolution: "VOIDED", at: this.clock.now() });
    this.bus.publish("balance.changed", { startupId });
  }

  /** Releases holds whose request never came back, as after a crash. Returns how many. */
  async sweepExpiredHolds(): Promise<number> {
    const at = this.clock.now();
    const rows = await this.db.query<{ id: string; startup_id: string }>(
      {
        name: "metering-expired",
        text: `SELECT id, startup_id FROM hold WHERE state = 'HELD' AND expires_at < $1 ORDER BY expires_at LIMIT ${EXPIRED_BATCH_MAX}`,
      },
      [at],
    );
    const results = await Promise.all(
      rows.map((row) => this.queue.resolve({ holdId: row.id, resolution: "EXPIRED", at })),
    );
    for (const startupId of new Set(rows.map((row) => row.startup_id)))
      this.bus.publish("balance.changed", { startupId });
    return results.filter((result) => result.code === "EXPIRED" && result.fresh).length;
  }

  /** Everything submitted is committed or refused when this resolves. */
  drain(): Promise<void> {
    return this.queue.drain();
  }

  /** The charged requests of a startup; the operator sees all. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT. */
  async usage(viewer: Viewer | null, page: PageRequest, filter: UsageFilter): Promise<Page<UsageRecord>> {
    const { kind } = requireKind(viewer, "READ", "STARTUP", "OPERATOR");
    const startupId = organisationScope(viewer, "READ", filter.startupId);
    // A startup may not find out by filtering who served it.
    const hidden = kind === "OPERATOR" ? {} : { providerId: null, endpointId: null };
    return this.records(page, { ...filter, ...hidden, startupId });
  }

  /** The same records as their provider sees them; the operator sees all. Errors: as `usage`. */
  async deliveries(viewer: Viewer | null, page: PageRequest, filter: UsageFilter): Promise<Page<UsageRecord>> {
    const { kind } = requireKind(viewer, "READ", "PROVIDER", "OPERATOR");
    const providerId = organisationScope(viewer, "READ", filter.providerId);
    // Nor a provider whom it serves.
    const hidden = kind === "OPERATOR" ? {} : { startupId: null };
    return this.records(page, { ...filter, ...hidden, providerId });
  }

  private async records(page: PageRequest, filter: UsageFilter): Promise<Page<UsageRecord>> {
    const query = this.db.source.getRepository(UsageRecord).createQueryBuilder("u");
    if (filter.startupId != null) query.andWhere("u.startupId = :startupId", { startupId: filter.startupId });
    if (filter.providerId != null) query.andWhere("u.providerId = :providerId", { providerId: filter.providerId });
    if (filter.endpointId != null) query.andWhere("u.endpointId = :endpointId", { endpointId: filter.endpointId });
    if (filter.model != null) query.andWhere("u.model = :model", { model: filter.model });
    if (filter.outcome != null) query.andWhere("u.outcome = :outcome", { outcome: filter.outcome });
    if (filter.period != null) query.andWhere("u.period = :period", { period: filter.period });
    if (filter.from != null) query.andWhere("u.completedAt >= :from", { from: filter.from });
    if (filter.to != null) query.andWhere("u.completedAt < :to", { to: filter.to });
    return fetchPage(this.db, query, page);
  }

  private async monthlyGpuNanos(providerId: string, period: string, at: Date): Promise<bigint> {
    const known = this.volume.peek(providerId, period, at.getTime());
    if (known !== null) return known;
    // The first settlement for a provider may meet an outage here, before it reaches the queue that would outlast it.
    await outlast(() => this.volume.read(providerId, period, at.getTime()), performance.now() + PATIENCE_MS);
    return this.volume.peek(providerId, period, at.getTime()) ?? 0n;
  }
}
