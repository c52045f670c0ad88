/** The door to where credit comes from: capital partners' facilities, and the lots that drawdowns issue to startups. */
import { z } from "zod";
import { CreditLot } from "../../entities/credit-lot";
import { Drawdown } from "../../entities/drawdown";
import { Facility } from "../../entities/facility";
import { Organisation } from "../../entities/organisation";
import { checkIdempotencyKey } from "../accounts/idempotency";
import { organisationScope, ownerOfNew, requireKind, requireScope, type Viewer } from "../accounts/viewer";
import { type Change, changed, made, recordAct } from "../audit/audit";
import type { EventBus } from "../events/event-bus";
import type { Outbox } from "../events/outbox";
import type { Ledger } from "../ledger/ledger";
import { formatNano } from "../money/nano";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError, notFound } from "../platform/errors";
import { isId, newId } from "../platform/ids";
import { checked, checkVersion, existingId, line } from "../platform/input";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
import { readRows } from "../platform/rows";
import { transaction } from "../platform/transaction";
import { CapitalExports } from "./capital-export";
import { CoverageWatch } from "./coverage-watch";
import { sumUpCreditUse } from "./credit-use";
import { type DrawdownResult, draw, lockedFacility } from "./draw";
import { checkConditions, type LotConditions, NO_CONDITIONS } from "./drawdown-input";
import { type Expired, expireLots } from "./expiry";
import { Exposure } from "./exposure";
import { checkTerms, FACILITY_LIMIT_NANO_USD_MAX, type FacilityTerms } from "./facility-rules";
import { checkFacilityMove } from "./facility-states";
import { chargeServicing } from "./servicing";

export interface NewFacility extends Partial<FacilityTerms> {
  /** Whose it is; only an operator has to say. */
  capitalPartnerId?: string | null | undefined;
  name: string;
  limitNanoUsd: bigint;
  /** Credits per dollar, 1_250_000 to 1_500_000. */
  multiplierPpm: bigint;
}

export interface NewDrawdown extends Partial<LotConditions> {
  facilityId: string;
  startupId: string;
  amountNanoUsd: bigint;
}

const facilityFields = z.object({ name: line(120) });

/** Of a facility whose partner says no more: no fees, no end, a floor of 1, and the whole limit for whoever asks. */
const PLAIN_TERMS: Omit<FacilityTerms, "multiplierPpm"> = {
  originationFeePpm: 0n,
  servicingFeePpm: 0n,
  tenorDays: null,
  coverageFloorPpm: 1_000_000n,
  startupLimitPpm: 1_000_000n,
};

export interface LotFilter {
  readonly startupId?: string | null | undefined;
  readonly facilityId?: string | null | undefined;
  /** Not expired yet, and due to before this instant. */
  readonly expiringBefore?: Date | null | undefined;
}

export interface DrawdownFilter {
  readonly startupId?: string | null | undefined;
  readonly facilityId?: string | null | undefined;
  readonly from?: Date | null | undefined;
  readonly to?: Date | null | undefined;
}

export class Funding {
  private readonly db: Database;
  private readonly ledger: Ledger;
  private readonly bus: EventBus;
  private readonly clock: Clock;
  readonly exposure: Exposure;
  readonly exports: CapitalExports;
  readonly coverageWatch: CoverageWatch;

  constructor(dependencies: { db: Database; ledger: Ledger; bus: EventBus; outbox: Outbox; clock: Clock }) {
    this.db = dependencies.db;
    this.ledger = dependencies.ledger;
    this.bus = dependencies.bus;
    this.clock = dependencies.clock;
    this.exposure = new Exposure(dependencies);
    this.exports = new CapitalExports({ ...dependencies, exposure: this.exposure });
    this.coverageWatch = new CoverageWatch(dependencies);
  }

  /** Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT, MULTIPLIER_OUT_OF_BOUNDS. */
  async openFacility(viewer: Viewer | null, input: NewFacility): Promise<Facility> {
    const owner = { field: "capitalPartnerId", id: input.capitalPartnerId };
    const known = requireScope(viewer, "WRITE");
    const capitalPartnerId = ownerOfNew(known, "CAPITAL_PARTNER", owner);
    const { name } = checked(facilityFields, input);
    checkAmount("limit", input.limitNanoUsd);
    const terms = termsOf(input);
    checkTerms(terms);
    const facility: Facility = {
      id: newId(),
      capitalPartnerId,
      name,
      limitNanoUsd: input.limitNanoUsd,
      drawnNanoUsd: 0n,
      ...terms,
      state: "OPEN",
      openedAt: this.clock.now(),
      closedAt: null,
      version: 1,
    };
    await transaction(this.db, async (tx) => {
      if (!(await tx.existsBy(Organisation, { id: capitalPartnerId, kind: "CAPITAL_PARTNER" }))) {
        throw notFound("capital partner", owner.field);
      }
      // A copy: TypeORM writes columns that have a default back into what it is given, as text.
      await tx.insert(Facility, { ...facility });
      await this.ledger.openFacilityAccounts(tx, facility.id);
      await recordAct(tx, known, {
        at: facility.openedAt,
        action: "facility.open",
        subjectType: "Facility",
        subjectId: facility.id,
        organisationId: capitalPartnerId,
        change: made(facility, "name", "limitNanoUsd", ...(Object.keys(terms) as (keyof FacilityTerms)[])),
      });
    });
    return facility;
  }

  /**
   * Nothing more can be drawn on it; what was drawn stays as it is.
   * Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, STATE_CONFLICT, VERSION_CONFLICT.
   */
  closeFacility(viewer: Viewer | null, id: string, expectedVersion?: number | null): Promise<Facility> {
    const closing = { state: "CLOSED" as const, closedAt: this.clock.now() };
    return this.change(viewer, { id, expectedVersion, action: "facility.close" }, ({ state }) => {
      checkFacilityMove(state, "CLOSED");
      return closing;
    });
  }

  /**
   * Sets what can be drawn in all, which is no less than what was drawn.
   * Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT, STATE_CONFLICT (closed), VERSION_CONFLICT, FACILITY_LIMIT_EXCEEDED.
   */
  changeLimit(
    viewer: Viewer | null,
    input: { id: string; limitNanoUsd: bigint; expectedVersion?: number | null | undefined },
  ): Promise<Facility> {
    const { limitNanoUsd } = input;
    checkAmount("limit", limitNanoUsd);
    return this.change(viewer, { ...input, action: "facility.change-limit" }, ({ state, drawnNanoUsd }) => {
      if (state !== "OPEN") throw new DomainError("STATE_CONFLICT", `The facility is ${state}.`);
      if (limitNanoUsd >= drawnNanoUsd) return { limitNanoUsd };
      throw new DomainError(
        "FACILITY_LIMIT_EXCEEDED",
        `${formatNano(drawnNanoUsd)} USD was drawn already: the limit cannot be less.`,
        { field: "limit", details: { drawnNanoUsd: drawnNanoUsd.toString() } },
      );
    });
  }

  /**
   * Funds a startup from a facility: dollars in, one credit lot out, in one transaction, once per idempotency key of the
   * viewer's organisation. Errors: UNAUTHENTICATED, FORBIDDEN, IDEMPOTENCY_KEY_REQUIRED, IDEMPOTENCY_KEY_REUSED,
   * BAD_USER_INPUT, NOT_FOUND (facility, startup), STATE_CONFLICT (closed, blocked), FACILITY_LIMIT_EXCEEDED, COVENANT_BREACHED
   * and COVERAGE_BELOW_FLOOR, these three with the figures.
   */
  async draw(viewer: Viewer | null, input: NewDrawdown, idempotencyKey: string): Promise<DrawdownResult> {
    const known = requireKind(viewer, "WRITE", "CAPITAL_PARTNER", "OPERATOR");
    const key = checkIdempotencyKey(idempotencyKey);
    checkAmount("amount", input.amountNanoUsd);
    const conditions = checkConditions({ ...NO_CONDITIONS, ...input });
    const { facilityId, startupId, amountNanoUsd } = input;
    const { db, ledger, clock } = this;
    const { first, result } = await draw({ db, ledger, clock }, known, key, {
      facilityId,
      startupId,
      amountNanoUsd,
      conditions,
    });
    if (first) this.bus.publish("balance.changed", { startupId });
    return result;
  }

  /** A capital partner's own, an operator's all. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (page). */
  async facilities(
    viewer: Viewer | null,
    page: PageRequest,
    filter: { capitalPartnerId?: string | null | undefined } = {},
  ): Promise<Page<Facility>> {
    const known = requireKind(viewer, "READ", "CAPITAL_PARTNER", "OPERATOR");
    const capitalPartnerId = organisationScope(known, "READ", filter.capitalPartnerId);
    const query = this.db.source.getRepository(Facility).createQueryBuilder("facility");
    if (capitalPartnerId !== null)
      query.andWhere("facility.capitalPartnerId = :capitalPartnerId", { capitalPartnerId });
    return fetchPage(this.db, query, page);
  }

  /**
   * From a capital partner's facilities, for an operator all.
   * Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (page).
   */
  async drawdowns(viewer: Viewer | null, page: PageRequest, filter: DrawdownFilter = {}): Promise<Page<Drawdown>> {
    const known = requireKind(viewer, "READ", "CAPITAL_PARTNER", "OPERATOR");
    const query = this.db.source.getRepository(Drawdown).createQueryBuilder("drawdown");
    if (filter.startupId != null) {
      query.andWhere("drawdown.startupId = :startupId", { startupId: existingId(filter.startupId, "startup") });
    }
    if (filter.facilityId != null) {
      query.andWhere("drawdown.facilityId = :facilityId", { facilityId: existingId(filter.facilityId, "facility") });
    }
    if (filter.from != null) query.andWhere("drawdown.drawnAt >= :from", { from: filter.from });
    if (filter.to != null) query.andWhere("drawdown.drawnAt < :to", { to: filter.to });
    if (known.kind === "CAPITAL_PARTNER") {
      query.innerJoin(Facility, "facility", "facility.id = drawdown.facilityId");
      query.andWhere("facility.capitalPartnerId = :own", { own: known.organisationId });
    }
    return fetchPage(this.db, query, page);
  }

  /**
   * A startup's own, those of a capital partner's facilities, an operator's all.
   * Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (page).
   */
  async lots(viewer: Viewer | null, page: PageRequest, filter: LotFilter = {}): Promise<Page<CreditLot>> {
    const known = requireKind(viewer, "READ", "STARTUP", "CAPITAL_PARTNER", "OPERATOR");
    const asked = filter.startupId == null ? null : existingId(filter.startupId, "startup");
    const startupId = known.kind === "STARTUP" ? organisationScope(known, "READ", asked) : asked;
    const query = this.db.source.getRepository(CreditLot).createQueryBuilder("lot");
    if (startupId !== null) query.andWhere("lot.startupId = :startupId", { startupId });
    if (filter.facilityId != null) {
      query.andWhere("lot.facilityId = :facilityId", { facilityId: existingId(filter.facilityId, "facility") });
    }
    if (filter.expiringBefore != null) {
      const span = { now: this.clock.now(), before: filter.expiringBefore };
      query.andWhere("lot.expiresAt > :now AND lot.expiresAt < :before", span);
    }
    if (known.kind === "CAPITAL_PARTNER") {
      query.innerJoin(Facility, "facility", "facility.id = lot.facilityId");
      query.andWhere("facility.capitalPartnerId = :own", { own: known.organisationId });
    }
    return fetchPage(this.db, query, page);
  }

  /** Loader sources: in no order, unknown ids left out, nobody authorised. */
  facilitiesByIds(ids: readonly string[]): Promise<Facility[]> {
    return readRows(this.db, Facility, "WHERE id = ANY ($1)", [ids.filter(isId)]);
  }

  lotsByIds(ids: readonly string[]): Promise<CreditLot[]> {
    return readRows(this.db, CreditLot, "WHERE id = ANY ($1)", [ids.filter(isId)]);
  }

  drawdownsByIds(ids: readonly string[]): Promise<Drawdown[]> {
    return readRows(this.db, Drawdown, "WHERE id = ANY ($1)", [ids.filter(isId)]);
  }

  /** For the worker; a repeat changes nothing. */
  expireLots(): Promise<Expired> {
    return expireLots({ db: this.db, bus: this.bus, clock: this.clock });
  }

  /** For the worker, after each month; a repeat charges nothing. */
  chargeServicing(): Promise<number> {
    return chargeServicing({ db: this.db, ledger: this.ledger, clock: this.clock });
  }

  /** For the worker; a repeat counts nothing twice. */
  sumUpUse(): Promise<number> {
    return sumUpCreditUse(this.db);
  }

  private async change(
    viewer: Viewer | null,
    { id, expectedVersion, action }: { id: string; expectedVersion?: number | null | undefined; action: string },
    rule: (facility: Facility) => Partial<Facility>,
  ): Promise<Facility> {
    const known = requireKind(viewer, "WRITE", "CAPITAL_PARTNER", "OPERATOR");
    return transaction(this.db, async (tx) => {
      const facility = await lockedFacility(tx, known, id, "id");
      checkVersion(facility, expectedVersion);
      const moved = rule(facility);
      const after = { ...facility, ...moved, version: facility.version + 1 };
      const change: Change = changed(facility, moved);
      await tx.update(Facility, { id: facility.id }, { ...moved, version: after.version });
      const { id: subjectId, capitalPartnerId: organisationId } = facility;
      const at = this.clock.now();
      await recordAct(tx, known, { at, action, subjectType: "Facility", subjectId, organisationId, change });
      return after;
    });
  }
}

/** What is left out is as in PLAIN_TERMS. */
function termsOf(input: NewFacility): FacilityTerms {
  return {
    multiplierPpm: input.multiplierPpm,
    originationFeePpm: input.originationFeePpm ?? PLAIN_TERMS.originationFeePpm,
    servicingFeePpm: input.servicingFeePpm ?? PLAIN_TERMS.servicingFeePpm,
    tenorDays: input.tenorDays ?? PLAIN_TERMS.tenorDays,
    coverageFloorPpm: input.coverageFloorPpm ?? PLAIN_TERMS.coverageFloorPpm,
    startupLimitPpm: input.startupLimitPpm ?? PLAIN_TERMS.startupLimitPpm,
  };
}

/** Errors: BAD_USER_INPUT. */
function checkAmount(field: "amount" | "limit", nanoUsd: bigint): void {
  if (nanoUsd > 0n && nanoUsd <= FACILITY_LIMIT_NANO_USD_MAX) return;
  throw new DomainError("BAD_USER_INPUT", `${field}: must be more than 0 and at most a billion USD`, { field });
}
