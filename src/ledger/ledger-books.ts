/** The door to what is written in the ledger: accounts, their entries, closed months, and the proof that none of it was altered. */
import type { AccountingPeriod } from "../../entities/accounting-period";
import { Entry } from "../../entities/entry";
import { LedgerAccount, type LedgerAccountKind } from "../../entities/ledger-account";
import type { Database } from "../platform/database";
import { DomainError, notFound } from "../platform/errors";
import { COUNT_MAX, checkPage, type Page, type PageRequest, pageFrom } from "../platform/page";
import { countRows, readRows } from "../platform/rows";
import { asSystem } from "../platform/tenancy";
import { type AsOf, AsOfBalances } from "./as-of";
import type { Counters } from "./counters";
import { closedPeriods } from "./periods";
import { inSnapshot } from "./snapshot";
import { type Verification, verifyLedger } from "./verify";

/** Whose books: one organisation's accounts and those of its facilities; null: all of them. */
export type BooksOf = { readonly organisationId: string } | null;

export interface AccountFilter {
  readonly kind?: LedgerAccountKind | null | undefined;
  readonly organisationId?: string | null | undefined;
  readonly facilityId?: string | null | undefined;
  readonly period?: string | null | undefined;
}

export interface EntrySpan {
  readonly from?: Date | null | undefined;
  readonly to?: Date | null | undefined;
}

export type EntryRow = Entry & { readonly id: string };

export interface AccountEntries {
  readonly account: LedgerAccount;
  readonly entries: Page<EntryRow>;
}

/** Pages that one question has checked at most: a second or two of work. */
export const VERIFY_PAGES_MAX = 20;
const PERIODS_MAX = 120;

/** Not the wallets that a facility funded: those are the startups'. */
const own = `($1::uuid IS NULL OR a.organisation_id = $1
  OR (a.organisation_id IS NULL AND a.facility_id IN (SELECT f.id FROM facility f WHERE f.capital_partner_id = $1)))`;

export class LedgerBooks {
  private readonly asOf: AsOfBalances;

  constructor(private readonly db: Database) {
    this.asOf = new AsOfBalances(db);
  }

  /** The newest first. Errors: BAD_USER_INPUT (page). */
  async accounts(of: BooksOf, page: PageRequest, filter: AccountFilter = {}): Promise<Page<LedgerAccount>> {
    const asked = checkPage(page);
    const { size, backwards, after, before } = asked;
    const direction = backwards ? "ASC" : "DESC";
    const where = `a WHERE ${own} AND ($2::text IS NULL OR a.kind = $2) AND ($3::uuid IS NULL OR a.organisation_id = $3)
           AND ($4::uuid IS NULL OR a.facility_id = $4) AND ($5::text IS NULL OR a.period = $5)`;
    const values = [
      of?.organisationId ?? null,
      filter.kind ?? null,
      filter.organisationId ?? null,
      filter.facilityId ?? null,
      filter.period ?? null,
    ];
    const rows = await readRows(
      this.db,
      LedgerAccount,
      `${where}
           AND ($6::uuid IS NULL OR (a.created_at, a.id) < (SELECT c.created_at, c.id FROM ledger_account c WHERE c.id = $6))
           AND ($7::uuid IS NULL OR (a.created_at, a.id) > (SELECT c.created_at, c.id FROM ledger_account c WHERE c.id = $7))
         ORDER BY a.created_at ${direction}, a.id ${direction} LIMIT $8`,
      [...values, after, before, size + 1],
    );
    return pageFrom(rows, asked, () =>
      countRows(this.db, `SELECT 1 FROM ledger_account ${where}`, values, COUNT_MAX + 1),
    );
  }

  /** Null: there is none, or it is another's. */
  async account(of: BooksOf, id: string): Promise<LedgerAccount | null> {
    const [row] = await readRows(this.db, LedgerAccount, `a WHERE ${own} AND a.id = $2`, [
      of?.organisationId ?? null,
      id,
    ]);
    return row ?? null;
  }

  /** What the journal has written up of one account, the newest first. Errors: NOT_FOUND, BAD_USER_INPUT (page). */
  async entries(of: BooksOf, accountId: string, page: PageRequest, span: EntrySpan = {}): Promise<AccountEntries> {
    const asked = checkPage(page);
    const { size, backwards, after, before } = asked;
    const account = await this.mustSee(of, accountId);
    const where =
      "WHERE account_id = $1 AND ($2::timestamptz IS NULL OR booked_at >= $2) AND ($3::timestamptz IS NULL OR booked_at < $3)";
    const values = [accountId, span.from ?? null, span.to ?? null];
    const rows = await readRows(
      this.db,
      Entry,
      `${where}
         AND ($4::bigint IS NULL OR seq < $4) AND ($5::bigint IS NULL OR seq > $5) ORDER BY seq ${backwards ? "ASC" : "DESC"} LIMIT $6`,
      [...values, seqOf(after), seqOf(before), size + 1],
    );
    const keyed = rows.map((row) => ({ ...row, id: idOfSeq(row.seq) }));
    const count = () => countRows(this.db, `SELECT 1 FROM entry ${where}`, values, COUNT_MAX + 1);
    return { account, entries: pageFrom(keyed, asked, count) };
  }

  /** Errors: NOT_FOUND. */
  async balance(of: BooksOf, accountId: string, asOf: AsOf): Promise<{ account: LedgerAccount; counters: Counters }> {
    const account = await this.mustSee(of, accountId);
    // Transfers are no tenant's to read; these are of an account that this one may see.
    const counters = await asSystem(() => this.asOf.counters([accountId], asOf));
    return { account, counters: counters.get(accountId)! };
  }

  /** For operators; the caller has made sure. The newest pages when no range is given. Errors: BAD_USER_INPUT when it is too long. */
  async verify(range: { fromPage?: number | null; toPage?: number | null }): Promise<Verification> {
    // Asked as whoever asks: to all but operators PostgreSQL shows no page, and there is nothing to tell.
    const [newest] = await this.db.query<{ number: number }>(
      { name: "ledger-newest-page", text: "SELECT coalesce(max(number), 0)::int AS number FROM journal_page" },
      [],
    );
    const { number } = newest!;
    if (number === 0) return { pagesChecked: 0, transfersChecked: 0, head: null, faults: [] };
    const toPage = range.toPage ?? number;
    const fromPage = range.fromPage ?? Math.max(1, toPage - VERIFY_PAGES_MAX + 1);
    if (toPage - fromPage >= VERIFY_PAGES_MAX) {
      const message = `At most ${VERIFY_PAGES_MAX} pages at once; all of them are checked every night.`;
      throw new DomainError("BAD_USER_INPUT", message, { field: "fromPage" });
    }
    // Up to the newest, accounts are held against it as well; pages that were written since are so few that they are read too.
    const asked = toPage < number ? { fromPage, toPage } : { fromPage };
    return asSystem(() => inSnapshot(this.db, (snapshot) => verifyLedger(snapshot, asked)));
  }

  /** Closed months, the newest first. */
  periods(): Promise<AccountingPeriod[]> {
    return closedPeriods(this.db, PERIODS_MAX);
  }

  private async mustSee(of: BooksOf, accountId: string): Promise<LedgerAccount> {
    const account = await this.account(of, accountId);
    if (account === null) throw notFound("ledger account", "accountId");
    return account;
  }
}

/** A page's cursors are ids; an account's entries are in the order of their transfers' seq. */
const idOfSeq = (seq: string): string => {
  const hex = BigInt(seq).toString(16).padStart(32, "0");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
};

const SEQ_MAX = (1n << 63n) - 1n;

function seqOf(id: string | null): string | null {
  if (id === null) return null;
  const seq = BigInt(`0x${id.replaceAll("-", "")}`);
  return (seq > SEQ_MAX ? SEQ_MAX : seq).toString();
}
