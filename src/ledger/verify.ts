/** Proves that history is as it was written: names every transfer, entry, page and account that is not. */
import type { LedgerFaultKind } from "../../schema/enums";
import type { Queryable } from "../platform/database";
import { drift } from "./drift";
import { entriesStatement, pagesStatement, transfersStatement } from "./page-faults";

export interface LedgerFault {
  readonly kind: LedgerFaultKind;
  /** The row: `transfer {id}`, `entry {account}/{seq}`, `page {number}`, `account {name}`. */
  readonly subject: string;
  /** The journal page that vouches for it; null for an account. */
  readonly page: number | null;
}

export interface Verification {
  readonly pagesChecked: number;
  readonly transfersChecked: number;
  /** Of the last page that was checked; null when none was. */
  readonly head: { readonly page: number; readonly hash: string } | null;
  readonly faults: readonly LedgerFault[];
}

export interface VerifyRange {
  readonly fromPage?: number | undefined;
  /** Up to the head, and accounts against it, when left out. */
  readonly toPage?: number | undefined;
  /** A hash that was noted elsewhere: a chain that was written anew as a whole does not have it. */
  readonly anchor?: { readonly page: number; readonly hash: string } | undefined;
}

/** Pages per statement: what one sorts stays in the tens of megabytes. */
const RUN_PAGES = 8;
const GENESIS = "00".repeat(32);

interface PageRow {
  number: number;
  transfers: number;
  hash: string;
  computed: string;
  previous: string;
}

interface RowFault extends Omit<LedgerFault, "kind"> {
  /** Null: named otherwise. */
  readonly kind: LedgerFaultKind | null;
  /** Whose entry it is, or was. */
  readonly account?: string | null;
  readonly seq?: string | null;
  /** What an ENTRY_WRONG leans on: if that was altered, it is that which is wrong. */
  readonly transfer?: string | null;
  readonly before?: string | null;
  /** The entry before it is not there: if one is known to be missing, that explains it. */
  readonly afterGap?: boolean;
}

/** On a connection that sees one snapshot, or rows of a page that is being written while it is looked at may seem added. */
export async function verifyLedger(db: Queryable, range: VerifyRange = {}): Promise<Verification> {
  const first = Math.max(1, range.fromPage ?? 1);
  const [newest] = await db.query<{ number: number }>(
    { name: "journal-newest", text: "SELECT coalesce(max(number), 0)::int AS number FROM journal_page" },
    [],
  );
  const last = Math.min(range.toPage ?? newest!.number, newest!.number);
  const chain = new Chain(first);
  const rows: RowFault[] = [];
  for (let from = first; from <= last; from += RUN_PAGES) {
    const run = [from, Math.min(from + RUN_PAGES - 1, last)];
    chain.follow(await db.query<PageRow>(pagesStatement, [Math.max(1, from - 1), run[1]]), run as [number, number]);
    rows.push(...(await db.query<RowFault & Record<string, unknown>>(transfersStatement, run)));
    rows.push(...(await db.query<RowFault & Record<string, unknown>>(entriesStatement, run)));
  }
  const named = withoutConsequences([...chain.faults, ...rows]);
  if (range.anchor !== undefined && chain.hashes.get(range.anchor.page) !== range.anchor.hash) {
    named.push({ kind: "CHAIN_BROKEN", subject: `page ${range.anchor.page}`, page: range.anchor.page });
  }
  if (range.toPage === undefined) named.push(...(await accountFaults(db, rows)));
  return { pagesChecked: chain.pages, transfersChecked: chain.transfers, head: chain.head, faults: distinct(named) };
}

/** Page by page: each must be its own hash, and begin with that of the page before. */
class Chain {
  readonly faults: LedgerFault[] = [];
  readonly hashes = new Map<number, string>();
  pages = 0;
  transfers = 0;
  head: Verification["head"] = null;
  private before: PageRow | null = null;

  constructor(private readonly first: number) {}

  follow(rows: readonly PageRow[], [from, to]: readonly [number, number]): void {
    const byNumber = new Map(rows.map((row) => [row.number, row]));
    if (this.before === null) this.before = byNumber.get(from - 1) ?? null;
    for (let number = from; number <= to; number++) {
      const row = byNumber.get(number) ?? null;
      if (row === null) this.fault("PAGE_MISSING", number);
      else this.check(row);
      this.before = row;
    }
  }

  private check(row: PageRow): void {
    this.pages += 1;
    this.transfers += row.transfers;
    this.head = { page: row.number, hash: row.hash };
    this.hashes.set(row.number, row.hash);
    if (row.hash !== row.computed) {
      this.fault("PAGE_ALTERED", row.number);
      return;
    }
    // If only the hash of the page before was altered, what that page says still has the hash that this one names.
    const hashes =
      row.number === 1 ? [GENESIS] : this.before === null ? null : [this.before.hash, this.before.computed];
    if (hashes !== null && !hashes.includes(row.previous))
      this.fault("CHAIN_BROKEN", Math.max(this.first, row.number - 1));
  }

  private fault(kind: LedgerFaultKind, number: number): void {
    this.faults.push({ kind, subject: `page ${number}`, page: number });
  }
}

/** An entry that only disagrees with a row which was itself altered is not named. */
function withoutConsequences(faults: readonly RowFault[]): LedgerFault[] {
  const causes = faults.filter(({ kind }) => kind !== "ENTRY_WRONG");
  const altered = new Set(causes.map(({ subject }) => subject));
  const missing = causes.some(({ kind }) => kind?.startsWith("ENTRY_") || kind === "PAGE_MISSING");
  return faults.flatMap(({ kind, subject, page, transfer, before, afterGap }) => {
    const explained = altered.has(transfer ?? "") || altered.has(before ?? "") || (afterGap && missing);
    return kind === null || explained ? [] : [{ kind, subject, page }];
  });
}

/** An account whose last entry was altered cannot be held against it. */
async function accountFaults(db: Queryable, rows: readonly RowFault[]): Promise<LedgerFault[]> {
  const untrusted = rows.filter(({ account, kind }) => account != null && kind !== "ENTRY_WRONG");
  const off = (await drift(db)).filter(
    ({ accountId, lastSeq }) => !untrusted.some(({ account, seq }) => account === accountId && BigInt(seq!) >= lastSeq),
  );
  return off.map(({ name, beyondHead }) => ({
    kind: beyondHead ? "PAGE_MISSING" : "COUNTERS_DIFFER",
    subject: `account ${name}`,
    page: null,
  }));
}

function distinct(faults: readonly LedgerFault[]): LedgerFault[] {
  return [...new Map(faults.map((fault) => [`${fault.kind} ${fault.subject}`, fault])).values()];
}
