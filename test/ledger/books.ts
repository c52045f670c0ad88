/** The auditor: recomputes every figure of the books from the transfers alone and names what disagrees. */
import type { Database } from "../../src/platform/database";

/** One row per account whose counters are not the fold of its transfers. */
const folds = `
  WITH side AS (
    SELECT t.debit_account_id AS account_id, 'D' AS side, t.kind, t.amount, p.amount AS pending FROM transfer t LEFT JOIN transfer p ON p.id = t.pending_id
    UNION ALL SELECT t.credit_account_id, 'C', t.kind, t.amount, p.amount FROM transfer t LEFT JOIN transfer p ON p.id = t.pending_id
  ), fold AS (
    SELECT account_id, side,
           coalesce(sum(amount) FILTER (WHERE kind IN ('POSTED', 'POST')), 0) AS posted,
           coalesce(sum(amount) FILTER (WHERE kind = 'PENDING'), 0) - coalesce(sum(pending) FILTER (WHERE kind IN ('POST', 'VOID')), 0) AS pending
      FROM side GROUP BY account_id, side
  )
  SELECT 'counters of ' || a.name AS fault
    FROM ledger_account a
    LEFT JOIN fold d ON d.account_id = a.id AND d.side = 'D'
    LEFT JOIN fold c ON c.account_id = a.id AND c.side = 'C'
   WHERE (a.debits_posted, a.debits_pending, a.credits_posted, a.credits_pending)
         <> (coalesce(d.posted, 0), coalesce(d.pending, 0), coalesce(c.posted, 0), coalesce(c.pending, 0))`;

const ledgers = `
  SELECT 'debits and credits of ' || ledger AS fault FROM ledger_account GROUP BY ledger
  HAVING sum(debits_posted) <> sum(credits_posted) OR sum(debits_pending) <> sum(credits_pending)`;

const crossings = `
  SELECT 'transfer ' || t.id || ' crosses ledgers or misses an account' AS fault FROM transfer t
    LEFT JOIN ledger_account d ON d.id = t.debit_account_id LEFT JOIN ledger_account c ON c.id = t.credit_account_id
   WHERE d.ledger IS DISTINCT FROM c.ledger OR d.ledger IS NULL`;

const overdrafts = `SELECT 'overdraft of ' || name AS fault FROM ledger_account WHERE limited AND debits_posted + debits_pending > credits_posted`;

const resolutions = `
  SELECT 'resolution of ' || p.id AS fault FROM transfer r JOIN transfer p ON p.id = r.pending_id
   WHERE p.kind <> 'PENDING' OR r.amount > p.amount OR (r.kind = 'VOID' AND r.amount <> p.amount)
      OR (r.debit_account_id, r.credit_account_id, r.group_id) <> (p.debit_account_id, p.credit_account_id, p.group_id)`;

const holds = `
  SELECT 'hold ' || h.id AS fault FROM hold h
    LEFT JOIN LATERAL (
      SELECT coalesce(sum(amount) FILTER (WHERE kind = 'PENDING'), 0) AS held, coalesce(sum(amount) FILTER (WHERE kind = 'POST'), 0) AS captured,
             count(*) FILTER (WHERE kind = 'PENDING') - count(*) FILTER (WHERE kind IN ('POST', 'VOID')) AS open
        FROM transfer t WHERE t.group_id = h.id) t ON true
   WHERE h.amount_nano_credit <> t.held OR h.captured_nano_credit <> t.captured OR (h.state = 'HELD') <> (t.open > 0)
      OR (h.state <> 'CAPTURED' AND h.captured_nano_credit <> 0) OR (h.state = 'HELD') <> (h.resolved_at IS NULL)`;

const records = `
  SELECT 'usage record ' || coalesce(u.id, h.id) AS fault FROM usage_record u
    FULL JOIN (SELECT * FROM hold WHERE state = 'CAPTURED') h ON h.id = u.id
    LEFT JOIN LATERAL (
      SELECT coalesce(sum(amount) FILTER (WHERE code IN ('ACCRUAL', 'SHORTFALL')), 0) AS accrued,
             coalesce(sum(amount) FILTER (WHERE code = 'SPREAD'), 0) - coalesce(sum(amount) FILTER (WHERE code = 'SHORTFALL'), 0) AS spread
        FROM transfer t WHERE t.group_id = h.id) t ON true
   WHERE u.id IS NULL OR h.id IS NULL OR u.startup_id <> h.startup_id OR u.rate_card_id <> h.rate_card_id
      OR (u.charge_nano_credit, u.accrual_nano_usd, u.spread_nano_usd) <> (h.captured_nano_credit, t.accrued, t.spread)`;

/** Empty when the books are in order. */
export async function faultsInTheBooks(db: Database): Promise<string[]> {
  const text = [folds, ledgers, crossings, overdrafts, resolutions, holds, records].join("\nUNION ALL ");
  const rows = await db.query<{ fault: string }>({ name: "test-books", text }, []);
  return rows.map((row) => row.fault);
}

export interface Counters {
  debitsPending: bigint;
  debitsPosted: bigint;
  creditsPending: bigint;
  creditsPosted: bigint;
}

/** By account name. */
export async function countersByName(db: Database): Promise<Map<string, Counters>> {
  const rows = await db.query<Record<string, string>>(
    { name: "test-counters", text: "SELECT * FROM ledger_account" },
    [],
  );
  return new Map(
    rows.map((row) => [
      row.name!,
      {
        debitsPending: BigInt(row.debits_pending!),
        debitsPosted: BigInt(row.debits_posted!),
        creditsPending: BigInt(row.credits_pending!),
        creditsPosted: BigInt(row.credits_posted!),
      },
    ]),
  );
}

export async function countOf(
  db: Database,
  table: "transfer" | "hold" | "usage_record" | "ledger_account",
): Promise<number> {
  const rows = await db.query<{ n: string }>(
    { name: `test-count-${table}`, text: `SELECT count(*) AS n FROM ${table}` },
    [],
  );
  return Number(rows[0]!.n);
}
