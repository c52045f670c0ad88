/** Reads what stands behind credits and what is still out, facility by facility, and what a credit may cost at most. */
import type { EntityManager } from "typeorm";
import type { Database } from "../platform/database";
import { asSystem } from "../platform/tenancy";
import { readCards } from "../pricing/rate-card-book";
import { cardInForce } from "../pricing/rate-card-rules";
import { type CreditCost, type Position, worstCost } from "./coverage";

export interface FacilityPosition extends Position {
  readonly facilityId: string;
  readonly capitalPartnerId: string;
  readonly floorPpm: bigint;
}

interface PositionRow {
  id: string;
  capital_partner_id: string;
  floor: string;
  backing: string;
  outstanding: string;
}

/** What is available, held, lent to relays and blocked can all still be spent: only spent, expired and assigned credit cannot. */
const statement = {
  name: "funding-positions",
  text: `SELECT f.id, f.capital_partner_id, f.coverage_floor_ppm AS floor,
                coalesce(sum(a.credits_posted - a.debits_posted) FILTER (WHERE a.kind = 'FACILITY_BACKING'), 0) AS backing,
                coalesce(sum(a.credits_posted - a.debits_posted) FILTER (WHERE a.kind IN ('WALLET_LOT', 'LEASED', 'BLOCKED')), 0) AS outstanding
           FROM facility f
           LEFT JOIN ledger_account a
             ON a.facility_id = f.id AND a.kind IN ('FACILITY_BACKING', 'WALLET_LOT', 'LEASED', 'BLOCKED')
          WHERE ($1::uuid[] IS NULL OR f.id = ANY ($1)) AND ($2::uuid IS NULL OR f.capital_partner_id = $2)
          GROUP BY f.id ORDER BY f.id`,
};

export interface PositionsWanted {
  /** Null: of any. */
  readonly facilityIds?: readonly string[] | null;
  readonly capitalPartnerId?: string | null;
}

/** Within `tx` when it is given: then as that transaction sees them. Authorises nobody. */
export async function readPositions(
  from: Database | EntityManager,
  { facilityIds = null, capitalPartnerId = null }: PositionsWanted = {},
): Promise<FacilityPosition[]> {
  const values = [facilityIds, capitalPartnerId];
  const rows: PositionRow[] =
    "source" in from ? await from.query<PositionRow>(statement, values) : await from.query(statement.text, values);
  return rows.map((row) => ({
    facilityId: row.id,
    capitalPartnerId: row.capital_partner_id,
    floorPpm: BigInt(row.floor),
    backingNanoUsd: BigInt(row.backing),
    outstandingNanoCredit: BigInt(row.outstanding),
  }));
}

/**
 * The worst over all cards in force at `at` and those approved for later: what is issued now may be spent under them. Read
 * anew each time, and whole, whoever asks: negotiated cards are nobody's to see, but everybody's dollars pay for them.
 */
export async function readWorstCost(db: Database, at: Date): Promise<CreditCost> {
  const cards = await asSystem(() => readCards(db));
  return worstCost(
    cards.filter(
      (card) =>
        card.state === "APPROVED" && (card.effectiveAt > at || cardInForce(cards, at, card.providerId) === card),
    ),
  );
}
