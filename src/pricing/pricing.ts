/** The door to what an hour of a GPU costs: spot observations, hourly fixings, rate cards, the public revenue estimate. */
import { In } from "typeorm";
import { Accelerator } from "../../entities/accelerator";
import { Fixing } from "../../entities/fixing";
import { SpotObservation } from "../../entities/spot-observation";
import { requireKind, requireScope, type Viewer } from "../accounts/viewer";
import { recordAct } from "../audit/audit";
import type { EventBus } from "../events/event-bus";
import { mulDivHalfEven } from "../money/nano";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError } from "../platform/errors";
import { isId, newId } from "../platform/ids";
import { checked } from "../platform/input";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
import { readRows } from "../platform/rows";
import { transaction } from "../platform/transaction";
import { fixPlaces, latestFixings, observedPlaces, placeKey } from "./fixing-book";
import { type NewObservation, observationFields } from "./observation-input";
import type { StoredRateCard } from "./rate-card-book";
import { RateCards } from "./rate-cards";
import { type ProviderRevenue, providerRevenue } from "./revenue";
import { GPU_HOUR_NANOS } from "./tier";

export type { NewObservation } from "./observation-input";

export interface FixingFilter {
  readonly accelerator?: string | null | undefined;
  readonly region?: string | null | undefined;
  /** The hour that it holds for: from inclusive, to exclusive. */
  readonly from?: Date | null | undefined;
  readonly to?: Date | null | undefined;
}

export interface RevenueQuestion {
  accelerator: string;
  /** Null: the mean of all regions that the accelerator has a fixing in. */
  region: string | null;
  monthlyGpuHours: bigint;
}

export interface RevenueEstimate extends ProviderRevenue {
  readonly accelerator: string;
  readonly region: string | null;
  readonly monthlyGpuHours: bigint;
  /** The spot reference that it was computed with. */
  readonly fixingNanoUsdPerGpuHour: bigint;
  /** The asking provider's own, or else the standard one. */
  readonly card: StoredRateCard;
}

/** More than 130,000 GPUs around the clock. */
const MONTHLY_GPU_HOURS_MAX = 100_000_000n;

export class Pricing {
  private readonly db: Database;
  private readonly bus: EventBus;
  private readonly clock: Clock;
  readonly rateCards: RateCards;

  constructor(dependencies: { db: Database; bus: EventBus; clock: Clock }) {
    this.db = dependencies.db;
    this.bus = dependencies.bus;
    this.clock = dependencies.clock;
    this.rateCards = new RateCards(dependencies);
  }

  /**
   * Stores what was seen and fixes the current hour of those places that have no fixing for it; returns the places'
   * fixings of this hour. Errors: UNAUTHENTICATED, FORBIDDEN (operators only), BAD_USER_INPUT.
   */
  async recordSpotPrices(viewer: Viewer | null, observations: readonly NewObservation[]): Promise<Fixing[]> {
    const known = requireKind(viewer, "WRITE", "OPERATOR");
    const now = this.clock.now();
    const seen = checked(observationFields(now), observations);
    await this.requireAccelerators(seen.map(({ accelerator }) => accelerator));
    const rows: SpotObservation[] = seen.map((observation) => ({ ...observation, id: newId(), recordedAt: now }));
    const places = new Map(
      seen.map(({ accelerator, region }) => [placeKey({ accelerator, region }), { accelerator, region }]),
    );
    const { fixings, added } = await transaction(this.db, async (tx) => {
      await tx.insert(SpotObservation, rows);
      await recordAct(tx, known, {
        at: now,
        action: "spot-prices.record",
        subjectType: "Operator",
        subjectId: known.organisationId,
        organisationId: known.organisationId,
        change: { observations: { to: rows.map(({ id }) => id) }, places: { to: [...places.values()] } },
      });
      return fixPlaces(tx, [...places.values()], now);
    });
    if (added > 0) this.tellOfFixings();
    return fixings;
  }

  /** For the worker, each hour: the hour's fixing of every place that was ever observed. A repeat changes nothing. */
  async fixHour(at: Date = this.clock.now()): Promise<Fixing[]> {
    const { fixings, added } = await transaction(this.db, async (tx) => fixPlaces(tx, await observedPlaces(tx), at));
    if (added > 0) this.tellOfFixings();
    return fixings;
  }

  /** Errors: UNAUTHENTICATED, FORBIDDEN, BAD_USER_INPUT (page). */
  async fixings(viewer: Viewer | null, page: PageRequest, filter: FixingFilter = {}): Promise<Page<Fixing>> {
    requireScope(viewer, "READ");
    const { accelerator, region, from, to } = filter;
    const query = this.db.source.getRepository(Fixing).createQueryBuilder("fixing");
    if (accelerator != null) query.andWhere("fixing.accelerator = :accelerator", { accelerator });
    if (region != null) query.andWhere("fixing.region = :region", { region });
    if (from != null) query.andWhere("fixing.hour >= :from", { from });
    if (to != null) query.andWhere("fixing.hour < :to", { to });
    return fetchPage(this.db, query, page);
  }

  /** Loader source: in no order, unknown ids left out. */
  fixingsByIds(ids: readonly string[]): Promise<Fixing[]> {
    return readRows(this.db, Fixing, "WHERE id = ANY ($1)", [ids.filter(isId)]);
  }

  /** The newest of each accelerator and region. Public. */
  latestFixings(): Promise<Fixing[]> {
    return latestFixings(this.db);
  }

  /** The provider's card in force at `at`, or else the standard one; a new card is noticed within 30 s. Public. */
  rateCard(at: Date = this.clock.now(), providerId: string | null = null): Promise<StoredRateCard> {
    return this.rateCards.inForce(at, providerId);
  }

  /**
   * What a month of GPU hours would earn a provider at today's fixing, by the function that also settles: under its own
   * card where it is the one that asks, else under the standard one. Public. Errors: BAD_USER_INPUT, NOT_FOUND when the accelerator has no fixing (there).
   */
  async revenueEstimate(
    { accelerator, region, monthlyGpuHours }: RevenueQuestion,
    viewer: Viewer | null = null,
  ): Promise<RevenueEstimate> {
    if (monthlyGpuHours < 0n || monthlyGpuHours > MONTHLY_GPU_HOURS_MAX) {
      throw new DomainError("BAD_USER_INPUT", `monthlyGpuHours: must be 0 to ${MONTHLY_GPU_HOURS_MAX}`, {
        field: "monthlyGpuHours",
      });
    }
    const providerId = viewer?.kind === "PROVIDER" ? viewer.organisationId : null;
    const [fixings, card] = await Promise.all([this.latestFixings(), this.rateCard(this.clock.now(), providerId)]);
    const prices = fixings
      .filter((fixing) => fixing.accelerator === accelerator && (region === null || fixing.region === region))
      .map((fixing) => fixing.priceNanoUsd);
    if (prices.length === 0) {
      const where = region === null ? "" : ` in ${JSON.stringify(region.slice(0, 63))}`;
      throw new DomainError(
        "NOT_FOUND",
        `There is no fixing of ${JSON.stringify(accelerator.slice(0, 40))}${where} yet.`,
        {
          field: "accelerator",
        },
      );
    }
    const total = prices.reduce((sum, price) => sum + price, 0n);
    const fixingNanoUsdPerGpuHour = mulDivHalfEven(total, 1n, BigInt(prices.length));
    return {
      accelerator,
      region,
      monthlyGpuHours,
      fixingNanoUsdPerGpuHour,
      card,
      ...providerRevenue(card, fixingNanoUsdPerGpuHour, monthlyGpuHours * GPU_HOUR_NANOS),
    };
  }

  private tellOfFixings(): void {
    this.bus.publish("supply.changed", {});
    this.bus.publish("fixing.made", {});
  }

  private async requireAccelerators(codes: readonly string[]): Promise<void> {
    const rows = await this.db.source.getRepository(Accelerator).findBy({ code: In([...new Set(codes)]) });
    const known = new Set(rows.map(({ code }) => code));
    const index = codes.findIndex((code) => !known.has(code));
    if (index < 0) return;
    throw new DomainError("BAD_USER_INPUT", `${index}.accelerator: ${JSON.stringify(codes[index])} is unknown`, {
      field: [String(index), "accelerator"],
    });
  }
}
