/** What must hold of the books, as SQL: each statement names what breaks its rule, and answers nothing when nothing does. */

/** One row per account whose counters are not the fold of its transfers, from the first one on. */
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

const overdrafts = `SELECT 'overdraft of ' || name AS fault FROM ledger_account WHERE limited AND debits_posted + debits_pending > credits_posted`;

/** Credit of a facility stays among the accounts of that facility. */
const facilities = `
  SELECT 'credit of facility ' || facility_id AS fault FROM ledger_account WHERE ledger = 'CRD' GROUP BY facility_id
  HAVING sum(credits_posted) <> sum(debits_posted) OR sum(credits_pending) <> sum(debits_pending)`;

/** What is left of a lot, wherever it is, is never more than was issued: the rest was spent. */
const lots = `
  SELECT 'lot ' || lot_id AS fault FROM ledger_account WHERE lot_id IS NOT NULL GROUP BY lot_id
  HAVING count(*) FILTER (WHERE kind = 'WALLET_LOT') <> 1
      OR sum(credits_posted - debits_posted) NOT BETWEEN 0 AND max(issued_nano_credit) FILTER (WHERE kind = 'WALLET_LOT')`;

const leases = `
  SELECT 'leased of ' || a.name AS fault FROM ledger_account a
    LEFT JOIN LATERAL (SELECT coalesce(sum(s.balance_nano_credit), 0) AS lent, coalesce(bool_or(s.balance_nano_credit > 0 AND l.state <> 'ACTIVE'), false) AS stray
                         FROM lease_slice s JOIN lease l ON l.id = s.lease_id WHERE s.leased_account_id = a.id) s ON true
   WHERE a.kind = 'LEASED' AND (a.credits_posted - a.debits_posted <> s.lent OR s.stray)`;

/** What counts as held and as lent under a budget is what is: open holds, and what leases have. */
const budgetsHeld = `
  SELECT 'held or leased of budget ' || p.budget_id || ' in ' || p.period AS fault FROM budget_period p
    LEFT JOIN (SELECT b.budget_id, b.period, sum(h.amount_nano_credit - h.captured_nano_credit) AS held
                 FROM hold h JOIN hold_budget b ON b.hold_id = h.id WHERE h.state = 'HELD' GROUP BY b.budget_id, b.period) h
           ON h.budget_id = p.budget_id AND h.period = p.period
    LEFT JOIN (SELECT b.budget_id, b.period, sum(s.balance_nano_credit) AS leased
                 FROM lease_slice s JOIN lease_budget b ON b.lease_id = s.lease_id WHERE s.balance_nano_credit > 0 GROUP BY b.budget_id, b.period) l
           ON l.budget_id = p.budget_id AND l.period = p.period
   WHERE p.held_nano_credit <> coalesce(h.held, 0) OR p.leased_nano_credit <> coalesce(l.leased, 0)
      OR (p.hard_stop AND p.spent_nano_credit + p.held_nano_credit + p.leased_nano_credit > p.ceiling_nano_credit)`;

/** What counts as spent is what was charged to holds and leases under it, by the records of usage. */
const budgetsSpent = `
  SELECT 'spent of budget ' || p.budget_id || ' in ' || p.period AS fault FROM budget_period p
    LEFT JOIN (SELECT c.budget_id, c.period, sum(c.charged) AS spent FROM (
                 SELECT b.budget_id, b.period, u.charge_nano_credit AS charged FROM hold_budget b JOIN usage_record u ON u.id = b.hold_id
                 UNION ALL
                 SELECT b.budget_id, b.period, u.charge_nano_credit FROM lease_budget b JOIN usage_record u ON u.lease_id = b.lease_id) c
                GROUP BY c.budget_id, c.period) s ON s.budget_id = p.budget_id AND s.period = p.period
   WHERE p.spent_nano_credit <> coalesce(s.spent, 0)`;

/** Without these a mistake of ours could change what is past. */
export const historyTables = [
  "transfer",
  "entry",
  "journal_page",
  "usage_record",
  "audit_event",
  "accounting_period",
] as const;
const guards = `
  SELECT 'history of ' || h.name || ' can be changed' AS fault FROM unnest(ARRAY['${historyTables.join("','")}']) AS h(name)
   WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = h.name::regclass AND g.tgname = h.name || '_is_final' AND g.tgenabled IN ('O', 'A'))`;

/** A sweep runs every few seconds; $1 is the instant before which everything that expired should have been swept. */
const expiredHolds = `SELECT 'hold ' || id || ' has expired and still holds' AS fault FROM hold WHERE state = 'HELD' AND expires_at < $1`;

const crossings = `
  SELECT 'transfer ' || t.id || ' crosses ledgers or misses an account' AS fault FROM transfer t
    LEFT JOIN ledger_account d ON d.id = t.debit_account_id LEFT JOIN ledger_account c ON c.id = t.credit_account_id
   WHERE t.seq > $1 AND (d.ledger IS DISTINCT FROM c.ledger OR d.ledger IS NULL)`;

const resolutions = `
  SELECT 'resolution of ' || p.id AS fault FROM transfer r JOIN transfer p ON p.id = r.pending_id
   WHERE r.seq > $1 AND (p.kind <> 'PENDING' OR r.amount > p.amount OR (r.kind = 'VOID' AND r.amount <> p.amount)
      OR (r.debit_account_id, r.credit_account_id, r.group_id) <> (p.debit_account_id, p.credit_account_id, p.group_id))`;

const moved = "SELECT t.group_id FROM transfer t WHERE t.seq > $1 AND t.code = 'USAGE'";

const holds = (which: string) => `
  SELECT 'hold ' || h.id AS fault FROM hold h
    LEFT JOIN LATERAL (
      SELECT coalesce(sum(amount) FILTER (WHERE kind = 'PENDING'), 0) AS held, coalesce(sum(amount) FILTER (WHERE kind = 'POST'), 0) AS captured,
             count(*) FILTER (WHERE kind = 'PENDING') - count(*) FILTER (WHERE kind IN ('POST', 'VOID')) AS open
        FROM transfer t WHERE t.group_id = h.id) t ON true
   WHERE ${which} AND (h.amount_nano_credit <> t.held OR h.captured_nano_credit <> t.captured OR (h.state = 'HELD') <> (t.open > 0)
      OR (h.state <> 'CAPTURED' AND h.captured_nano_credit <> 0) OR (h.state = 'HELD') <> (h.resolved_at IS NULL))`;

/** Every charge has one usage record and pays one accrual. */
const charges = (which: (id: string) => string) => `
  SELECT 'usage record ' || coalesce(u.id, h.id) AS fault FROM (SELECT * FROM usage_record r WHERE ${which("r.id")}) u
    FULL JOIN (
      SELECT id, startup_id, captured_nano_credit FROM hold c WHERE state = 'CAPTURED' AND ${which("c.id")}
      UNION ALL
      -- What was charged to a lease has no hold; its transfers say what was taken.
      SELECT l.id, l.startup_id,
             (SELECT coalesce(sum(t.amount), 0) FROM transfer t WHERE t.group_id = l.id AND t.code = 'USAGE' AND t.kind = 'POSTED')
        FROM usage_record l WHERE l.lease_id IS NOT NULL AND ${which("l.id")}) h ON h.id = u.id
    LEFT JOIN LATERAL (
      SELECT coalesce(sum(amount) FILTER (WHERE code IN ('ACCRUAL', 'SHORTFALL')), 0) AS accrued,
             coalesce(sum(amount) FILTER (WHERE code = 'SPREAD'), 0) - coalesce(sum(amount) FILTER (WHERE code = 'SHORTFALL'), 0) AS spread
        FROM transfer t WHERE t.group_id = h.id) t ON true
   WHERE u.id IS NULL OR h.id IS NULL OR u.startup_id <> h.startup_id
      OR (u.charge_nano_credit, u.accrual_nano_usd, u.spread_nano_usd) <> (h.captured_nano_credit, t.accrued, t.spread)`;

/** What a lot is kept for it paid for, and nothing else. */
const restrictions = (which: string) => `
  SELECT 'lot that paid for usage record ' || u.id AS fault FROM usage_record u
    JOIN transfer t ON t.group_id = u.id AND t.code = 'USAGE' AND t.kind IN ('POST', 'POSTED')
    JOIN ledger_account d ON d.id = t.debit_account_id JOIN ledger_account w ON w.lot_id = d.lot_id AND w.kind = 'WALLET_LOT'
   WHERE ${which} AND NOT (coalesce(u.accelerator = ANY (w.accelerators), true) AND coalesce(u.workload = ANY (w.workloads), true))`;

/** Statements are computed again from the fixing that a charge names. */
const priced = (which: string) => `
  SELECT 'fixing of usage record ' || u.id AS fault FROM usage_record u
   WHERE ${which} AND NOT EXISTS (SELECT FROM fixing f WHERE f.id = u.fixing_id)`;

const union = (...statements: readonly string[]): string =>
  statements.map((statement) => `SELECT fault FROM (${statement}) s`).join("\nUNION ALL ");

/** Reads accounts, open holds and leases. $1: what expired before this instant should have been swept. */
export const standingInvariants = union(
  ledgers,
  overdrafts,
  facilities,
  lots,
  leases,
  budgetsHeld,
  guards,
  expiredHolds,
);
/** Reads what was written after the transfer $1. */
export const recentInvariants = union(
  crossings,
  resolutions,
  holds(`h.id IN (${moved})`),
  charges((id) => `${id} IN (${moved})`),
  restrictions(`u.id IN (${moved})`),
  priced(`u.id IN (${moved})`),
);
/** Reads all that ever was. $1: 0. */
export const wholeInvariants = union(
  folds,
  crossings,
  resolutions,
  holds("true"),
  charges(() => "true"),
  restrictions("true"),
  priced("true"),
  budgetsSpent,
);
/** What the ledger's own writes must keep after every one of them; what other tables and the sweep add is left out. $1: 0. */
export const bookInvariants = union(
  ledgers,
  overdrafts,
  facilities,
  lots,
  leases,
  budgetsHeld,
  budgetsSpent,
  folds,
  crossings,
  resolutions,
  holds("true"),
  charges(() => "true"),
  restrictions("true"),
);
