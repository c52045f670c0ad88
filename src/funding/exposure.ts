/** What lenders have at stake: coverage, what is left and for how long, what it was spent on, and alerts. */
import { CoverageAlert } from "../../entities/coverage-alert";
import { Facility } from "../../entities/facility";
import { ServicingFee } from "../../entities/servicing-fee";
import type { CreditUseBy } from "../../schema/enums";
import { organisationScope, requireKind, type Viewer } from "../accounts/viewer";
import type { FacilityBalance, Ledger } from "../ledger/ledger";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError, notFound } from "../platform/errors";
import { isId } from "../platform/ids";
import { existingId } from "../platform/input";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
import { readRows } from "../platform/rows";
import { type CreditCost, costPpm, coveragePpm, isCovered, type Position, sumOf } from "./coverage";
import { creditUse, type UseOfCredit } from "./credit-use";
import { COVERAGE_FLOOR_PPM_MIN } from "./facility-rules";
import { type Outlook, outlookOf, type Reading, readOutlooks } from "./outlook";
import { type FacilityPosition, readPositions, readWorstCost } from "./positions";

export interface Coverage extends Position {
  /** Null: of several facilities together. */
  readonly facilityId: string | null;
  /** Null: nothing is outstanding. */
  readonly ratioPpm: bigint | null;
  readonly floorPpm: bigint;
  readonly covered: boolean;
  readonly worstCostPpm: bigint;
  readonly asOf: Date;
}

export interface CapitalPosition extends FacilityBalance, Outlook {
  readonly facilities: number;
  readonly limitNanoUsd: bigint;
  readonly drawnNanoUsd: bigint;
  readonly coverage: Coverage;
}

export interface FacilityQuestion {
  readonly capitalPartnerId?: string | null | undefined;
  readonly facilityId?: string | null | undefined;
}

export interface UseFilter extends FacilityQuestion {
  readonly from?: Date | null | undefined;
  readonly to?: Date | null | undefined;
}

export interface AlertFilter {
  readonly facilityId?: string | null | undefined;
  /** True: still open; false: closed. */
  readonly open?: boolean | null | undefined;
}

export class Exposure {
  private readonly db: Database;
  private readonly ledger: Ledger;
  private readonly clock: Clock;

  constructor(dependencies: { db: Database; ledger: Ledger; clock: Clock }) {
    this.db = dependencies.db;
    this.ledger = dependencies.ledger;
    this.clock = dependencies.clock;
  }

  /**
   * Of each facility that is the viewer's, and before them, for an operator, of all together.
   * Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND.
   */
  async coverages(viewer: Viewer | null, facilityId: string | null = null): Promise<Coverage[]> {
    const known = requireKind(viewer, "READ", "CAPITAL_PARTNER", "OPERATOR");
    const asked = facilityId === null ? null : [existingId(facilityId, "facility")];
    const own = organisationScope(known, "READ");
    const positions = await readPositions(this.db, { facilityIds: asked, capitalPartnerId: own });
    if (asked !== null && positions.length === 0) throw notFound("facility", "facilityId");
    const at = this.clock.now();
    const cost = await readWorstCost(this.db, at);
    const each = positions.map((position) => coverageOf(position, cost, at));
    return asked === null && own === null ? [coverageOfAll(positions, cost, at), ...each] : each;
  }

  /** Loader source: by facility id, unknown ids left out, nobody authorised. */
  async coverageByFacilityIds(ids: readonly string[]): Promise<Map<string, Coverage>> {
    const at = this.clock.now();
    const [positions, cost] = await Promise.all([
      readPositions(this.db, { facilityIds: ids.filter(isId) }),
      readWorstCost(this.db, at),
    ]);
    return new Map(positions.map((position) => [position.facilityId, coverageOf(position, cost, at)]));
  }

  /** Loader source, as the one before. */
  readingsByFacilityIds(ids: readonly string[]): Promise<Map<string, Reading>> {
    return readOutlooks(this.db, ids.filter(isId), this.clock.now());
  }

  /** Loader source: what servicing was charged for, newest month first; nobody authorised. */
  servicingFeesByFacilityIds(ids: readonly string[]): Promise<ServicingFee[]> {
    return readRows(this.db, ServicingFee, "WHERE facility_id = ANY ($1) ORDER BY period DESC", [ids.filter(isId)]);
  }

  /** Of a capital partner's facilities; an operator's are all, or those of the partner that it names. Errors: as coverages. */
  async capitalPosition(viewer: Viewer | null, capitalPartnerId: string | null = null): Promise<CapitalPosition> {
    const facilities = await this.facilitiesOf(viewer, { capitalPartnerId });
    const ids = facilities.map(({ id }) => id);
    const at = this.clock.now();
    const [balances, outlooks, positions, cost] = await Promise.all([
      this.ledger.facilityBalances(ids),
      readOutlooks(this.db, ids, at),
      readPositions(this.db, { facilityIds: ids }),
      readWorstCost(this.db, at),
    ]);
    const balance = sumOfBalances([...balances.values()]);
    return {
      ...balance,
      ...outlookOf(balance.availableNanoCredit, [...outlooks.values()]),
      facilities: facilities.length,
      limitNanoUsd: facilities.reduce((sum, { limitNanoUsd }) => sum + limitNanoUsd, 0n),
      drawnNanoUsd: facilities.reduce((sum, { drawnNanoUsd }) => sum + drawnNanoUsd, 0n),
      coverage: coverageOfAll(positions, cost, at),
    };
  }

  /** What credit of the viewer's facilities was spent on. Errors: as coverages, BAD_USER_INPUT (from behind to). */
  async use(viewer: Viewer | null, by: CreditUseBy, filter: UseFilter = {}): Promise<UseOfCredit[]> {
    const { from = null, to = null } = filter;
    if (from !== null && to !== null && from >= to) {
      throw new DomainError("BAD_USER_INPUT", "to: must lie after from", { field: "to" });
    }
    const facilities = await this.facilitiesOf(viewer, filter);
    return creditUse(this.db, { by, facilityIds: facilities.map(({ id }) => id), from, to });
  }

  /** Of a capital partner's facilities, an operator's all. Errors: as coverages, BAD_USER_INPUT (page). */
  async alerts(viewer: Viewer | null, page: PageRequest, filter: AlertFilter = {}): Promise<Page<CoverageAlert>> {
    const known = requireKind(viewer, "READ", "CAPITAL_PARTNER", "OPERATOR");
    const query = this.db.source.getRepository(CoverageAlert).createQueryBuilder("alert");
    if (filter.facilityId != null) {
      query.andWhere("alert.facilityId = :facilityId", { facilityId: existingId(filter.facilityId, "facility") });
    }
    if (filter.open != null) query.andWhere(`alert.closedAt IS ${filter.open ? "" : "NOT"} NULL`);
    if (known.kind === "CAPITAL_PARTNER") {
      query.innerJoin(Facility, "facility", "facility.id = alert.facilityId");
      query.andWhere("facility.capitalPartnerId = :own", { own: known.organisationId });
    }
    return fetchPage(this.db, query, page);
  }

  /** Loader source: in no order, unknown ids left out, nobody authorised. */
  alertsByIds(ids: readonly string[]): Promise<CoverageAlert[]> {
    return readRows(this.db, CoverageAlert, "WHERE id = ANY ($1)", [ids.filter(isId)]);
  }

  /** The viewer's own, or the one asked for. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND. */
  async facilitiesOf(viewer: Viewer | null, question: FacilityQuestion): Promise<Facility[]> {
    const known = requireKind(viewer, "READ", "CAPITAL_PARTNER", "OPERATOR");
    const owner = organisationScope(known, "READ", question.capitalPartnerId);
    const facilityId = question.facilityId == null ? null : existingId(question.facilityId, "facility");
    const rows = await readRows(
      this.db,
      Facility,
      "WHERE ($1::uuid IS NULL OR capital_partner_id = $1) AND ($2::uuid IS NULL OR id = $2) ORDER BY id",
      [owner, facilityId],
    );
    if (facilityId !== null && rows.length === 0) throw notFound("facility", "facilityId");
    return rows;
  }
}

function coverageOf(position: FacilityPosition, cost: CreditCost, asOf: Date): Coverage {
  const { facilityId, floorPpm, backingNanoUsd, outstandingNanoCredit } = position;
  const ratioPpm = coveragePpm(position, cost);
  return {
    facilityId,
    backingNanoUsd,
    outstandingNanoCredit,
    ratioPpm,
    floorPpm,
    covered: isCovered(ratioPpm, floorPpm),
    worstCostPpm: costPpm(cost),
    asOf,
  };
}

function coverageOfAll(positions: readonly FacilityPosition[], cost: CreditCost, asOf: Date): Coverage {
  const together = { ...sumOf(positions), facilityId: "", capitalPartnerId: "", floorPpm: COVERAGE_FLOOR_PPM_MIN };
  return { ...coverageOf(together, cost, asOf), facilityId: null };
}

const NO_BALANCE: FacilityBalance = {
  fundedNanoUsd: 0n,
  backingNanoUsd: 0n,
  issuedNanoCredit: 0n,
  availableNanoCredit: 0n,
  heldNanoCredit: 0n,
  blockedNanoCredit: 0n,
  spentNanoCredit: 0n,
  expiredNanoCredit: 0n,
  assignedNanoCredit: 0n,
};

function sumOfBalances(balances: readonly FacilityBalance[]): FacilityBalance {
  const names = Object.keys(NO_BALANCE) as (keyof FacilityBalance)[];
  const sum = (name: keyof FacilityBalance) => balances.reduce((total, balance) => total + balance[name], 0n);
  return Object.fromEntries(names.map((name) => [name, sum(name)])) as unknown as FacilityBalance;
}
