/** The door to where credit comes from: capital partners' facilities, and the lots that drawdowns issue to startups. */
import type { EntityManager } from "typeorm";
import { z } from "zod";
import { CreditLot } from "../../entities/credit-lot";
import { Drawdown } from "../../entities/drawdown";
import { Facility } from "../../entities/facility";
import { Organisation } from "../../entities/organisation";
import { organisationScope, ownerOfNew, owns, requireKind, requireScope, type Viewer } from "../accounts/viewer";
import { made, recordAct } from "../audit/audit";
import type { EventBus } from "../events/event-bus";
import type { Ledger } from "../ledger/ledger";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError, notFound } from "../platform/errors";
import { isId, newId } from "../platform/ids";
import { checked, existingId, line } from "../platform/input";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
import { readRows } from "../platform/rows";
import { transaction } from "../platform/transaction";
import { checkLimit, checkMultiplier, creditFor, FACILITY_LIMIT_NANO_USD_MAX } from "./facility-rules";
import { checkIdempotencyKey, claimKey } from "./idempotency";

export interface NewFacility {
  /** Whose it is; only an operator has to say. */
  capitalPartnerId?: string | null | undefined;
  name: string;
  limitNanoUsd: bigint;
  /** Credits per dollar, 1_250_000 to 1_500_000. */
  multiplierPpm: bigint;
}

export interface NewDrawdown {
  facilityId: string;
  startupId: string;
  amountNanoUsd: bigint;
}

export interface DrawdownResult {
  readonly drawdown: Drawdown;
  readonly lot: CreditLot;
}

const facilityFields = z.object({ name: line(120) });

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

  constructor(dependencies: { db: Database; ledger: Ledger; bus: EventBus; clock: Clock }) {
    this.db = dependencies.db;
    this.ledger = dependencies.ledger;
    this.bus = dependencies.bus;
    this.clock = dependencies.clock;
  }

  /** Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT, MULTIPLIER_OUT_OF_BOUNDS. */
  async openFacility(viewer: Viewer | null, input: NewFacility): Promise<Facility> {
    const owner = { field: "capitalPartnerId", id: input.capitalPartnerId };
    const known = requireScope(viewer, "WRITE");
    const capitalPartnerId = ownerOfNew(known, "CAPITAL_PARTNER", owner);
    const { name } = checked(facilityFields, input);
    checkAmount("limit", input.limitNanoUsd);
    checkMultiplier(input.multiplierPpm);
    const facility: Facility = {
      id: newId(),
      capitalPartnerId,
      name,
      limitNanoUsd: input.limitNanoUsd,
      drawnNanoUsd: 0n,
      multiplierPpm: input.multiplierPpm,
      state: "OPEN",
      openedAt: this.clock.now(),
      version: 1,
    };
    await transaction(this.db, async (tx) => {
      if (!(await tx.existsBy(Organisation, { id: capitalPartnerId, kind: "CAPITAL_PARTNER" }))) {
        throw notFound("capital partner", owner.field);
      }
      await tx.insert(Facility, facility);
      await this.ledger.openFacilityAccounts(tx, facility.id);
      await recordAct(tx, known, {
        at: facility.openedAt,
        action: "facility.open",
        subjectType: "Facility",
        subjectId: facility.id,
        organisationId: capitalPartnerId,
        change: made(facility, "name", "limitNanoUsd", "multiplierPpm"),
      });
    });
    return facility;
  }

  /**
   * Funds a startup from a facility: dollars in, one credit lot out, in one transaction, once per idempotency key of the
   * viewer's organisation. Errors: UNAUTHENTICATED, FORBIDDEN, IDEMPOTENCY_KEY_REQUIRED, IDEMPOTENCY_KEY_REUSED,
   * BAD_USER_INPUT, NOT_FOUND (facility, startup), STATE_CONFLICT (closed), FACILITY_LIMIT_EXCEEDED with the figures.
   */
  async draw(viewer: Viewer | null, input: NewDrawdown, idempotencyKey: string): Promise<DrawdownResult> {
    const known = requireKind(viewer, "WRITE", "CAPITAL_PARTNER", "OPERATOR");
    const key = checkIdempotencyKey(idempotencyKey);
    checkAmount("amount", input.amountNanoUsd);
    const { facilityId, startupId, amountNanoUsd } = input;
    const ids = { drawdownId: newId(), lotId: newId() };
    const at = this.clock.now();
    const claim = { organisationId: known.organisationId, key, operation: "draw", result: ids, at };
    const { first, result } = await transaction(this.db, async (tx) => {
      const earlier = await claimKey(tx, { ...claim, input: { facilityId, startupId, amountNanoUsd } });
      if (earlier !== null) return { first: false, result: await drawnBefore(tx, earlier) };
      const facility = await drawableFacility(tx, known, facilityId);
      await requireStartup(tx, startupId);
      checkLimit(facility, amountNanoUsd);
      const result = await this.book(tx, facility, { startupId, amountNanoUsd, at, ...ids });
      await recordAct(tx, known, {
        at,
        action: "drawdown.create",
        subjectType: "Drawdown",
        subjectId: ids.drawdownId,
        organisationId: facility.capitalPartnerId,
        change: made(result.drawdown, "facilityId", "startupId", "fundedNanoUsd"),
      });
      return { first: true, result };
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
  async lots(
    viewer: Viewer | null,
    page: PageRequest,
    filter: { startupId?: string | null | undefined; facilityId?: string | null | undefined } = {},
  ): Promise<Page<CreditLot>> {
    const known = requireKind(viewer, "READ", "STARTUP", "CAPITAL_PARTNER", "OPERATOR");
    const asked = filter.startupId == null ? null : existingId(filter.startupId, "startup");
    const startupId = known.kind === "STARTUP" ? organisationScope(known, "READ", asked) : asked;
    const query = this.db.source.getRepository(CreditLot).createQueryBuilder("lot");
    if (startupId !== null) query.andWhere("lot.startupId = :startupId", { startupId });
    if (filter.facilityId != null) {
      query.andWhere("lot.facilityId = :facilityId", { facilityId: existingId(filter.facilityId, "facility") });
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

  private async book(
    tx: EntityManager,
    facility: Facility,
    act: { drawdownId: string; lotId: string; startupId: string; amountNanoUsd: bigint; at: Date },
  ): Promise<DrawdownResult> {
    const { drawdownId, lotId, startupId, amountNanoUsd, at } = act;
    const { id: facilityId, multiplierPpm } = facility;
    const creditNanoCredit = creditFor(amountNanoUsd, multiplierPpm);
    await tx.update(
      Facility,
      { id: facilityId },
      { drawnNanoUsd: facility.drawnNanoUsd + amountNanoUsd, version: facility.version + 1 },
    );
    const drawdown: Drawdown = { id: drawdownId, facilityId, startupId, fundedNanoUsd: amountNanoUsd, drawnAt: at };
    await tx.insert(Drawdown, drawdown);
    const { accountId } = await this.ledger.issueLot(tx, {
      groupId: drawdownId,
      lotId,
      facilityId,
      startupId,
      fundedNanoUsd: amountNanoUsd,
      creditNanoCredit,
      multiplierPpm,
      bookedAt: at,
    });
    const issued = { issuedNanoCredit: creditNanoCredit, multiplierPpm, issuedAt: at };
    const lot: CreditLot = { id: lotId, drawdownId, facilityId, startupId, accountId, ...issued };
    await tx.insert(CreditLot, lot);
    return { drawdown, lot };
  }
}

/** Locked until commit: parallel draws see what the one before left of the limit. */
async function drawableFacility(tx: EntityManager, viewer: Viewer, id: string): Promise<Facility> {
  const facility = await tx.findOne(Facility, {
    where: { id: existingId(id, "facility") },
    lock: { mode: "pessimistic_write" },
  });
  if (facility === null || !owns(viewer, facility.capitalPartnerId)) throw notFound("facility", "facilityId");
  if (facility.state !== "OPEN") throw new DomainError("STATE_CONFLICT", `The facility is ${facility.state}.`);
  return facility;
}

async function requireStartup(tx: EntityManager, id: string): Promise<void> {
  // Before its first drawdown a startup is not yet among those that the partner may read of.
  const [row]: { known: boolean }[] = await tx.query("SELECT is_organisation($1, 'STARTUP') AS known", [
    existingId(id, "startup"),
  ]);
  if (!row?.known) throw notFound("startup", "startupId");
}

async function drawnBefore(tx: EntityManager, ids: Record<string, string>): Promise<DrawdownResult> {
  const { drawdownId, lotId } = ids as { drawdownId: string; lotId: string };
  return {
    drawdown: await tx.findOneByOrFail(Drawdown, { id: drawdownId }),
    lot: await tx.findOneByOrFail(CreditLot, { id: lotId }),
  };
}

/** Errors: BAD_USER_INPUT. */
function checkAmount(field: "amount" | "limit", nanoUsd: bigint): void {
  if (nanoUsd > 0n && nanoUsd <= FACILITY_LIMIT_NANO_USD_MAX) return;
  throw new DomainError("BAD_USER_INPUT", `${field}: must be more than 0 and at most a billion USD`, { field });
}
