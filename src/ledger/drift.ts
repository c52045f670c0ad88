/** Accounts whose counters are not what the journal and the transfers after it say: there should be none, ever. */
import type { Queryable } from "../platform/database";

export interface Drift {
  readonly accountId: string;
  readonly name: string;
  /** Of its last entry; 0: it has none. */
  readonly lastSeq: bigint;
  /** By how much the four counters are off, added up. */
  readonly nano: bigint;
  /** An entry beyond the last page: pages were taken away. */
  readonly beyondHead: boolean;
}

/** What the transfers after the last page did to each account. */
const tail = `
  WITH head AS MATERIALIZED (
    SELECT coalesce((SELECT p.last_seq FROM journal_page p ORDER BY p.number DESC LIMIT 1), 0) AS seq
  ), late AS MATERIALIZED (
    SELECT t.debit_account_id, t.credit_account_id, CASE WHEN t.kind IN ('POSTED', 'POST') THEN t.amount ELSE 0 END AS posted,
           CASE t.kind WHEN 'PENDING' THEN t.amount WHEN 'POSTED' THEN 0
                ELSE -(SELECT o.amount FROM transfer o WHERE o.id = t.pending_id) END AS pending
      FROM transfer t WHERE t.seq > (SELECT seq FROM head)
  ), tail AS MATERIALIZED (
    SELECT account_id, sum(debits_pending) AS debits_pending, sum(debits_posted) AS debits_posted,
           sum(credits_pending) AS credits_pending, sum(credits_posted) AS credits_posted
      FROM (SELECT debit_account_id AS account_id, pending AS debits_pending, posted AS debits_posted, 0 AS credits_pending, 0 AS credits_posted FROM late
            UNION ALL SELECT credit_account_id, 0, 0, pending, posted FROM late) s
     GROUP BY account_id
  )`;

const off = (column: string): string => `abs(a.${column} - coalesce(e.${column}, 0) - coalesce(t.${column}, 0))`;

const statement = {
  name: "ledger-drift",
  text: `${tail}
  SELECT * FROM (
    SELECT coalesce(a.id, t.account_id) AS id, coalesce(a.name, 'missing account ' || t.account_id) AS name,
           coalesce(${["debits_pending", "debits_posted", "credits_pending", "credits_posted"].map(off).join(" + ")},
                    abs(t.debits_posted) + abs(t.credits_posted) + abs(t.debits_pending) + abs(t.credits_pending)) AS nano,
           coalesce(e.seq, 0) AS last_seq, coalesce(e.seq > (SELECT seq FROM head), false) AS beyond_head
      FROM ledger_account a
      LEFT JOIN LATERAL (SELECT e.* FROM entry e WHERE e.account_id = a.id ORDER BY e.seq DESC LIMIT 1) e ON true
      FULL JOIN tail t ON t.account_id = a.id) d
   WHERE d.nano <> 0 OR d.beyond_head ORDER BY d.name`,
};

interface DriftRow {
  id: string;
  name: string;
  nano: string;
  last_seq: string;
  beyond_head: boolean;
}

export async function drift(db: Queryable): Promise<Drift[]> {
  const rows = await db.query<DriftRow>(statement, []);
  return rows.map((row) => ({
    accountId: row.id,
    name: row.name,
    lastSeq: BigInt(row.last_seq),
    nano: BigInt(row.nano),
    beyondHead: row.beyond_head,
  }));
}
