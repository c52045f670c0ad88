/** How long a facility's credit will last, and how much of it will expire before. */
import type { Database } from "../platform/database";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const EXPIRING_DAYS = 30;
const SPENDING_DAYS = 7;
/** Days are told to a tenth. */
const TENTHS = 10n;

/** Of one facility. */
export interface Reading {
  /** Outstanding in lots that expire within 30 days. */
  readonly expiringNanoCredit: bigint;
  readonly spentLastWeekNanoCredit: bigint;
}

export interface Outlook extends Reading {
  /** Tenths of days until what is available is spent, at the mean of the last week; null when nothing was spent in it. */
  readonly runwayTenthDays: bigint | null;
}

export function outlookOf(availableNanoCredit: bigint, readings: readonly Reading[]): Outlook {
  const expiringNanoCredit = readings.reduce((sum, reading) => sum + reading.expiringNanoCredit, 0n);
  const spent = readings.reduce((sum, reading) => sum + reading.spentLastWeekNanoCredit, 0n);
  return {
    expiringNanoCredit,
    spentLastWeekNanoCredit: spent,
    runwayTenthDays: spent === 0n ? null : (availableNanoCredit * BigInt(SPENDING_DAYS) * TENTHS) / spent,
  };
}

/** By facility id, each of `ids` in it. The week ends with the hour of `at`, which is why it counts whole hours. */
export async function readOutlooks(db: Database, ids: readonly string[], at: Date): Promise<Map<string, Reading>> {
  const weekAgo = new Date(Math.floor(at.getTime() / HOUR_MS) * HOUR_MS - SPENDING_DAYS * DAY_MS);
  const rows = await db.query<{ id: string; expiring: string; spent: string }>(
    {
      name: "funding-outlooks",
      text: `SELECT f.id, e.expiring, u.spent FROM unnest($1::uuid[]) AS f(id)
              CROSS JOIN LATERAL (
                SELECT coalesce(sum(a.credits_posted - a.debits_posted), 0) AS expiring
                  FROM ledger_account w
                  JOIN ledger_account a ON a.lot_id = w.lot_id AND a.kind IN ('WALLET_LOT', 'LEASED', 'BLOCKED')
                 WHERE w.kind = 'WALLET_LOT' AND w.facility_id = f.id AND w.expires_at > $2 AND w.expires_at <= $3) e
              CROSS JOIN LATERAL (
                SELECT coalesce(sum(spent_nano_credit), 0) AS spent
                  FROM credit_use c WHERE c.facility_id = f.id AND c.hour > $4 AND c.hour <= $2) u`,
    },
    [ids, at, new Date(at.getTime() + EXPIRING_DAYS * DAY_MS), weekAgo],
  );
  return new Map(
    rows.map((row) => [
      row.id,
      { expiringNanoCredit: BigInt(row.expiring), spentLastWeekNanoCredit: BigInt(row.spent) },
    ]),
  );
}
