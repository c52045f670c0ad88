/** Holds the books against themselves, every minute what is new, every night all of it, and tells what does not add up. */
import type { Clock } from "../platform/clock";
import type { Database, Queryable } from "../platform/database";
import type { Log } from "../platform/log";
import { drift } from "./drift";
import { recentInvariants, standingInvariants, wholeInvariants } from "./invariants";
import { inSnapshot } from "./snapshot";
import { type Verification, verifyLedger } from "./verify";

/** Several sweeps could have come and gone. */
const SWEEP_GRACE_MS = 60_000;
/** Pages per minute: at the size of a page more than one machine can write in that time, few enough to be done within it. */
const RUN_PAGES_MAX = 100;
/** A process that begins looks this far back. */
const FIRST_LOOK_PAGES = 20;
const FAULTS_IN_LOG_MAX = 50;

/** A rule of another room: a statement without parameters whose rows name, in `fault`, what breaks it. */
export interface Invariant {
  readonly name: string;
  readonly text: string;
}

export interface Findings {
  readonly at: Date;
  readonly whole: boolean;
  /** By how much counters are off, all accounts together. */
  readonly driftNano: bigint;
  readonly faults: readonly string[];
}

export interface ReconciliationDependencies {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly invariants?: readonly Invariant[];
  /** The instant by which holds are swept, where that is not the clock's: requests do not age when a test clock is moved. */
  readonly sweptBy?: () => Date;
}

/** How far the last run came. */
interface Progress {
  readonly page: number;
  readonly seq: string;
}

export class Reconciliation {
  /** Of the last run in this process; null before it. */
  last: Findings | null = null;
  private readonly db: Database;
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly more: readonly Invariant[];
  private readonly sweptBy: () => Date;
  private progress: Progress | null = null;
  private anchor: { page: number; hash: string } | undefined;
  private dayOfWhole: string;

  constructor(dependencies: ReconciliationDependencies) {
    this.db = dependencies.db;
    this.clock = dependencies.clock;
    this.log = dependencies.log;
    this.more = dependencies.invariants ?? [];
    this.sweptBy = dependencies.sweptBy ?? (() => this.clock.now());
    this.dayOfWhole = dayOf(this.clock.now());
  }

  /** The first run after midnight UTC reads all of history, the others what came since the one before. */
  async run(): Promise<Findings> {
    return this.check(dayOf(this.clock.now()) !== this.dayOfWhole);
  }

  /** All of history, now. */
  async runWhole(): Promise<Findings> {
    return this.check(true);
  }

  private async check(whole: boolean): Promise<Findings> {
    const at = this.clock.now();
    const { found, verified, progress } = await inSnapshot(this.db, (snapshot) => this.look(snapshot, whole));
    this.progress = progress;
    this.anchor = verified.head ?? this.anchor;
    if (whole) this.dayOfWhole = dayOf(at);
    this.last = { at, whole, ...found };
    this.tell(this.last, verified);
    return this.last;
  }

  private async look(snapshot: Queryable, whole: boolean) {
    const since = this.progress ?? (await begin(snapshot));
    const verified = await verifyLedger(snapshot, this.pagesToRead(whole, since.page));
    const [off, standing, recent, newest] = [
      await drift(snapshot),
      await faultsOf(snapshot, standingInvariants, [new Date(this.sweptBy().getTime() - SWEEP_GRACE_MS)]),
      await faultsOf(snapshot, whole ? wholeInvariants : recentInvariants, [whole ? "0" : since.seq]),
      await newestSeq(snapshot),
    ];
    const elsewhere: string[] = [];
    for (const { name, text } of this.more) {
      elsewhere.push(...(await faultsOf(snapshot, text, [])).map((fault) => `${name}: ${fault}`));
    }
    const history = verified.faults.map(({ kind, subject }) => `${kind}: ${subject}`);
    const counters = off.map(({ name, nano, beyondHead }) =>
      beyondHead ? `entries of ${name} have lost their page` : `counters of ${name} are off by ${nano}`,
    );
    const faults = [...new Set([...history, ...counters, ...standing, ...recent, ...elsewhere])];
    const driftNano = off.reduce((sum, { nano }) => sum + nano, 0n);
    return {
      found: { driftNano, faults },
      verified,
      progress: { page: verified.head?.page ?? since.page, seq: newest },
    };
  }

  /** From the last page that was checked on, which has to be the same that it was. */
  private pagesToRead(whole: boolean, last: number) {
    const { anchor } = this;
    // Counters are held against the journal here, not by the verifier.
    if (whole) return { toPage: Number.MAX_SAFE_INTEGER, anchor };
    const fromPage = Math.max(1, last);
    return { fromPage, toPage: fromPage + RUN_PAGES_MAX, anchor };
  }

  private tell({ driftNano, faults, whole }: Findings, { head, pagesChecked, transfersChecked }: Verification): void {
    const facts = { whole, page: head?.page ?? 0, hash: head?.hash, pagesChecked, transfersChecked };
    if (faults.length === 0) {
      // Whoever keeps the log elsewhere can show later that not even the whole chain was written anew.
      this.log.info(facts, "the ledger adds up");
      return;
    }
    const named = { driftNano: driftNano.toString(), count: faults.length, faults: faults.slice(0, FAULTS_IN_LOG_MAX) };
    this.log.error({ ...facts, ...named }, "the ledger does not add up");
  }
}

const dayOf = (at: Date): string => at.toISOString().slice(0, 10);

async function begin(snapshot: Queryable): Promise<Progress> {
  const [row] = await snapshot.query<{ page: number; seq: string }>(
    {
      name: "reconciliation-begin",
      text: `SELECT p.number::int AS page, p.first_seq AS seq
               FROM (SELECT greatest(max(number) - $1, 1) AS number FROM journal_page) n JOIN journal_page p ON p.number = n.number`,
    },
    [FIRST_LOOK_PAGES],
  );
  return row ?? { page: 0, seq: "0" };
}

async function newestSeq(snapshot: Queryable): Promise<string> {
  const [row] = await snapshot.query<{ seq: string }>(
    { name: "reconciliation-newest", text: "SELECT coalesce(max(seq), 0) AS seq FROM transfer" },
    [],
  );
  return row!.seq;
}

async function faultsOf(snapshot: Queryable, text: string, values: readonly unknown[]): Promise<string[]> {
  const rows = await snapshot.query<{ fault: string }>({ name: "reconciliation-faults", text }, values);
  return rows.map(({ fault }) => fault);
}
