/** A startup's credit for one workload by what it is kept for: what is free of it, and what is lent to relays. */
import type { Queryable } from "../platform/database";

export interface KeptCredit {
  /** Pays only for what can end at none but these; null: wherever it ends. */
  readonly accelerators: readonly string[] | null;
  readonly freeNanoCredit: bigint;
  /** Includes what is set aside for running requests: no more than this comes back when it is called back. */
  readonly leasedNanoCredit: bigint;
}

interface KeptRow {
  readonly accelerators: string[] | null;
  readonly free: string;
  readonly leased: string;
}

/** The lots are those of `ledger_open_lots`, and those of which all is lent. */
const statement = {
  name: "ledger-kept-credit",
  text: `
    SELECT w.accelerators, sum(w.credits_posted - w.debits_posted - w.debits_pending)::text AS free, sum(coalesce(o.leased, 0))::text AS leased
      FROM ledger_account w
      LEFT JOIN LATERAL (SELECT sum(l.credits_posted - l.debits_posted) AS leased FROM ledger_account l
                          WHERE l.lot_id = w.lot_id AND l.kind = 'LEASED') o ON true
     WHERE w.kind = 'WALLET_LOT' AND w.organisation_id = $1 AND w.frozen = 0 AND (w.expires_at IS NULL OR w.expires_at > $3)
       AND (w.workloads IS NULL OR $2 = ANY (w.workloads))
     GROUP BY w.accelerators
    HAVING sum(w.credits_posted - w.debits_posted - w.debits_pending + coalesce(o.leased, 0)) > 0`,
};

/** As of one instant, so that what it does not cover is not there. Errors: those of pg. */
export async function readKeptCredit(
  db: Queryable,
  startupId: string,
  workload: string,
  at: Date,
): Promise<readonly KeptCredit[]> {
  const rows = await db.query<KeptRow>(statement, [startupId, workload, at]);
  return rows.map(({ accelerators, free, leased }) => ({
    accelerators,
    freeNanoCredit: BigInt(free),
    leasedNanoCredit: BigInt(leased),
  }));
}
