/** Sums up what credit was spent on, by facility, startup, hour and kind of place: from the ledger's transfers, each counted once. */
import type { CreditUseBy } from "../../schema/enums";
import type { Database } from "../platform/database";
import { transaction } from "../platform/transaction";

/** Transfers per transaction. */
const TRANSFERS_MAX = 20_000;

/**
 * Transfers have one order, that of their commits, so all behind the mark are looked at once and none is missed. A request
 * that several lots paid for is counted where it drew on the facility first. What the mark and the sums say commits together.
 *
 * Look-ups are behind OFFSET 0 and without sequential scans: the newest rows are in no statistics yet, and a join that was planned
 * for a few of them went through all usage records once per transfer (7 s for 17,000 transfers, instead of 0.1).
 */
export const rollUp = `
  WITH mark AS MATERIALIZED (
    SELECT seq FROM credit_use_mark FOR UPDATE
  ), passed AS MATERIALIZED (
    SELECT t.* FROM mark m CROSS JOIN LATERAL (SELECT * FROM transfer t WHERE t.seq > m.seq ORDER BY t.seq LIMIT ${TRANSFERS_MAX}) t
  ), used AS (
    SELECT r.facility_id, lot.organisation_id AS startup_id, date_trunc('hour', t.booked_at, 'UTC') AS hour, coalesce(u.accelerator, '') AS accelerator,
           coalesce(u.region, '') AS region, coalesce(e.sla_tier, '') AS sla_tier, t.amount,
           CASE WHEN EXISTS (SELECT FROM transfer p WHERE p.group_id = t.group_id AND p.credit_account_id = t.credit_account_id
                                AND p.kind IN ('POST', 'POSTED') AND p.seq < t.seq) THEN 0 ELSE 1 END AS first
      FROM passed t
     CROSS JOIN LATERAL (SELECT r.facility_id FROM ledger_account r WHERE r.id = t.credit_account_id AND r.kind = 'CREDIT_REDEEMED' OFFSET 0) r
     CROSS JOIN LATERAL (SELECT l.organisation_id FROM ledger_account l WHERE l.id = t.debit_account_id OFFSET 0) lot
      LEFT JOIN LATERAL (SELECT u.accelerator, u.region, u.endpoint_id FROM usage_record u WHERE u.id = t.group_id OFFSET 0) u ON true
      LEFT JOIN LATERAL (SELECT e.sla_tier FROM endpoint e WHERE e.id = u.endpoint_id OFFSET 0) e ON true
     WHERE t.code = 'USAGE' AND t.kind IN ('POST', 'POSTED')
  ), summed AS (
    INSERT INTO credit_use AS c (facility_id, startup_id, hour, accelerator, region, sla_tier, requests, spent_nano_credit)
    SELECT facility_id, startup_id, hour, accelerator, region, sla_tier, sum(first), sum(amount) FROM used GROUP BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (facility_id, startup_id, hour, accelerator, region, sla_tier) DO UPDATE
      SET requests = c.requests + EXCLUDED.requests, spent_nano_credit = c.spent_nano_credit + EXCLUDED.spent_nano_credit
  )
  UPDATE credit_use_mark k SET seq = coalesce((SELECT max(seq) FROM passed), k.seq)
  RETURNING (SELECT count(*)::int FROM passed) AS passed`;

/** Goes before the roll-up, in its transaction. */
export const indexesOnly = "SET LOCAL enable_seqscan = off";

/** Returns how many transfers it looked at. Repeating it counts nothing twice. For the worker. */
export async function sumUpCreditUse(db: Database): Promise<number> {
  let total = 0;
  for (;;) {
    const passed = await transaction(db, async (tx) => {
      await tx.query(indexesOnly);
      const [rows]: [{ passed: number }[], number] = await tx.query(rollUp);
      return rows[0]?.passed ?? 0;
    });
    total += passed;
    if (passed < TRANSFERS_MAX) return total;
  }
}

export interface UseQuestion {
  readonly by: CreditUseBy;
  readonly facilityIds: readonly string[];
  /** Whole hours, UTC: from inclusive, to exclusive. */
  readonly from: Date | null;
  readonly to: Date | null;
}

/** Of what it is told apart by; the rest is null. */
export interface UseOfCredit {
  readonly startupId: string | null;
  readonly accelerator: string | null;
  readonly region: string | null;
  readonly slaTier: string | null;
  readonly requests: bigint;
  readonly spentNanoCredit: bigint;
}

const columnsBy: Readonly<Record<CreditUseBy, readonly string[]>> = {
  STARTUP: ["startup_id"],
  PROVIDER_SEGMENT: ["region", "sla_tier"],
  ACCELERATOR: ["accelerator"],
};

/** The most spent first. Authorises nobody. */
export async function creditUse(db: Database, { by, facilityIds, from, to }: UseQuestion): Promise<UseOfCredit[]> {
  const columns = columnsBy[by].join(", ");
  const rows = await db.query<{
    startup_id?: string;
    accelerator?: string;
    region?: string;
    sla_tier?: string;
    requests: string;
    spent: string;
  }>(
    {
      name: `funding-credit-use-${by}`,
      text: `SELECT ${columns}, sum(requests) AS requests, sum(spent_nano_credit) AS spent
               FROM credit_use
              WHERE facility_id = ANY ($1) AND ($2::timestamptz IS NULL OR hour >= $2) AND ($3::timestamptz IS NULL OR hour < $3)
              GROUP BY ${columns} ORDER BY spent DESC, ${columns}`,
    },
    [facilityIds, from, to],
  );
  return rows.map((row) => ({
    startupId: row.startup_id ?? null,
    accelerator: row.accelerator || null,
    region: row.region || null,
    slaTier: row.sla_tier || null,
    requests: BigInt(row.requests),
    spentNanoCredit: BigInt(row.spent),
  }));
}
