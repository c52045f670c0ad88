/** What accounts stood at: as booked by one instant, as far as was on the record by another. */
import type { Database } from "../platform/database";
import { type CounterColumns, type Counters, countersOf } from "./counters";

export interface AsOf {
  /** Only what was booked at or before it; everything when left out. */
  readonly bookedAt?: Date | null | undefined;
  /** Only what was on the record at or before it; everything when left out. A transaction that was under way then may still appear. */
  readonly recordedAt?: Date | null | undefined;
}

/** issued = available + held + blocked + spent + expired + assigned. */
export interface CreditAsOf {
  readonly issuedNanoCredit: bigint;
  readonly availableNanoCredit: bigint;
  readonly heldNanoCredit: bigint;
  readonly blockedNanoCredit: bigint;
  readonly spentNanoCredit: bigint;
  readonly expiredNanoCredit: bigint;
  readonly assignedNanoCredit: bigint;
}

const ALWAYS = "infinity";
const BIGINT_MAX = "9223372036854775807";

/**
 * What is asked for: the accounts $1, booked at or before $2, on the record at or before $3.
 *
 * What was known by an instant is a prefix of the one order: up to the first transfer that was recorded later. Bookings
 * are in no order. Up to the last page that is old enough together with all before it, one entry per account is the
 * answer (`base`); a later page that is old enough as a whole counts by the difference between two entries, and only
 * the few that the instant runs through are read entry by entry. What the journal has not written up yet comes from the
 * transfers: one statement sees one state of both.
 */
const scope = `
  WITH account AS MATERIALIZED (SELECT DISTINCT unnest($1::uuid[]) AS id),
  head AS MATERIALIZED (
    SELECT coalesce((SELECT p.last_seq FROM journal_page p ORDER BY p.number DESC LIMIT 1), 0) AS seq
  ), recorded AS MATERIALIZED (
    SELECT coalesce(max(p.number), 0) AS number, coalesce(max(p.last_seq), 0) AS seq
      FROM (SELECT o.number, o.last_seq FROM journal_page o WHERE o.recorded_high <= $3 ORDER BY o.recorded_high DESC, o.number DESC LIMIT 1) p
  ), known AS MATERIALIZED (
    SELECT greatest(r.seq, (
             SELECT max(k.seq) FROM (
               SELECT t.seq, max(t.recorded_at) OVER (ORDER BY t.seq) AS high FROM transfer t
                WHERE t.seq > r.seq AND t.seq <= coalesce((SELECT n.last_seq FROM journal_page n WHERE n.number = r.number + 1), ${BIGINT_MAX})) k
              WHERE k.high <= $3)) AS seq
      FROM recorded r
  ), base AS MATERIALIZED (
    SELECT coalesce(max(p.number), 0) AS number, coalesce(max(p.last_seq), 0) AS seq
      FROM (SELECT o.number, o.last_seq FROM journal_page o
             WHERE o.number = least((SELECT r.number FROM recorded r),
                                    (SELECT b.number FROM journal_page b WHERE b.booked_high <= $2 ORDER BY b.booked_high DESC, b.number DESC LIMIT 1))
               AND o.booked_high <= $2) p
  ), rest AS MATERIALIZED (
    SELECT p.first_seq, least(p.last_seq, (SELECT seq FROM known)) AS last_seq,
           p.booked_to <= $2 AND p.last_seq <= (SELECT seq FROM known) AS whole
      FROM journal_page p
     WHERE p.number > (SELECT number FROM base) AND p.first_seq <= (SELECT seq FROM known) AND p.booked_from <= $2
  )`;

/** The last entry of an account at or before a transfer. */
const entryUpTo = (seq: string): string =>
  `(SELECT e.* FROM entry e WHERE e.account_id = a.id AND e.seq <= ${seq} ORDER BY e.seq DESC LIMIT 1)`;

const difference = (column: string): string => `upto.${column} - coalesce(since.${column}, 0)`;

const fromPages = `
  SELECT a.id, e.debits_pending, e.debits_posted, e.credits_pending, e.credits_posted
    FROM account a CROSS JOIN LATERAL ${entryUpTo("(SELECT seq FROM base)")} e
  UNION ALL
  SELECT a.id, ${["debits_pending", "debits_posted", "credits_pending", "credits_posted"].map(difference).join(", ")}
    FROM account a CROSS JOIN (SELECT * FROM rest WHERE whole) r
   CROSS JOIN LATERAL ${entryUpTo("r.last_seq")} upto
    LEFT JOIN LATERAL ${entryUpTo("r.first_seq - 1")} since ON true
  UNION ALL
  SELECT a.id, ${bySide("e.side = 'DEBIT'", "e.pending", "e.posted")}
    FROM account a CROSS JOIN (SELECT * FROM rest WHERE NOT whole) r
    JOIN entry e ON e.account_id = a.id AND e.seq BETWEEN r.first_seq AND r.last_seq AND e.booked_at <= $2`;

const fromTransfers = `
  SELECT a.id, ${bySide("t.debit_account_id = a.id", "t.pending", "t.posted")}
    FROM (SELECT t.debit_account_id, t.credit_account_id,
                 CASE WHEN t.kind IN ('POSTED', 'POST') THEN t.amount ELSE 0 END AS posted,
                 CASE t.kind WHEN 'PENDING' THEN t.amount WHEN 'POSTED' THEN 0
                      ELSE -(SELECT o.amount FROM transfer o WHERE o.id = t.pending_id) END AS pending
            FROM transfer t
           WHERE t.seq > (SELECT seq FROM head) AND t.seq <= (SELECT seq FROM known) AND t.booked_at <= $2) t
    JOIN account a ON a.id IN (t.debit_account_id, t.credit_account_id)`;

function bySide(isDebit: string, pending: string, posted: string): string {
  const debits = [pending, posted].map((amount) => `CASE WHEN ${isDebit} THEN ${amount} ELSE 0 END`);
  const credits = [pending, posted].map((amount) => `CASE WHEN ${isDebit} THEN 0 ELSE ${amount} END`);
  return [...debits, ...credits].join(", ");
}

const statement = {
  name: "ledger-as-of",
  text: `${scope}
  SELECT a.id, coalesce(sum(v.debits_pending), 0) AS debits_pending, coalesce(sum(v.debits_posted), 0) AS debits_posted,
         coalesce(sum(v.credits_pending), 0) AS credits_pending, coalesce(sum(v.credits_posted), 0) AS credits_posted
    FROM account a LEFT JOIN (${fromPages} UNION ALL ${fromTransfers}) v ON v.id = a.id
   GROUP BY a.id`,
};

interface LotRow {
  id: string;
  kind: string;
  issued: string | null;
}

export class AsOfBalances {
  constructor(private readonly db: Database) {}

  /** By account id; all zero before an account's first entry. */
  async counters(accountIds: readonly string[], { bookedAt, recordedAt }: AsOf = {}): Promise<Map<string, Counters>> {
    const values = [accountIds, bookedAt ?? ALWAYS, recordedAt ?? ALWAYS];
    const rows = await this.db.query<CounterColumns & { id: string }>(statement, values);
    return new Map(rows.map((row) => [row.id, countersOf(row)]));
  }

  /** All credit that a startup was issued. */
  async creditOfStartup(startupId: string, asOf: AsOf = {}): Promise<CreditAsOf> {
    return this.credit("a.organisation_id = $1", startupId, asOf);
  }

  /** All credit that a facility issued. */
  async creditOfFacility(facilityId: string, asOf: AsOf = {}): Promise<CreditAsOf> {
    return this.credit("a.facility_id = $1", facilityId, asOf);
  }

  private async credit(whose: "a.organisation_id = $1" | "a.facility_id = $1", id: string, asOf: AsOf) {
    const accounts = await this.db.query<LotRow>(
      {
        name: `ledger-lots-of-${whose.slice(2, 10)}`,
        text: `SELECT a.id, a.kind, a.issued_nano_credit AS issued FROM ledger_account a WHERE a.lot_id IS NOT NULL AND ${whose}`,
      },
      [id],
    );
    const ids = accounts.map((account) => account.id);
    return creditOf(accounts, await this.counters(ids, asOf));
  }
}

/** What left the lots for good without having expired or been assigned was spent. */
function creditOf(accounts: readonly LotRow[], counters: ReadonlyMap<string, Counters>): CreditAsOf {
  const sum = (kind: string, amount: (counters: Counters, account: LotRow) => bigint): bigint =>
    accounts
      .filter((account) => account.kind === kind)
      .reduce((total, account) => total + amount(counters.get(account.id)!, account), 0n);
  const left = ({ creditsPosted, debitsPosted }: Counters) => creditsPosted - debitsPosted;
  const pending = sum("WALLET_LOT", ({ debitsPending }) => debitsPending);
  const issued = sum("WALLET_LOT", ({ creditsPosted }, account) => (creditsPosted > 0n ? BigInt(account.issued!) : 0n));
  const available = sum("WALLET_LOT", left) - pending;
  const held = pending + sum("LEASED", left);
  const blocked = sum("BLOCKED", left);
  const expired = sum("CREDIT_BREAKAGE", left);
  const assigned = sum("CREDIT_ASSIGNED", left);
  return {
    issuedNanoCredit: issued,
    availableNanoCredit: available,
    heldNanoCredit: held,
    blockedNanoCredit: blocked,
    expiredNanoCredit: expired,
    assignedNanoCredit: assigned,
    spentNanoCredit: issued - available - held - blocked - expired - assigned,
  };
}
