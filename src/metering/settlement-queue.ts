/** Feeds holds and settlements to the ledger in group commits, and repeats a commit whose fate is unknown. */
import type { Queryable } from "../platform/database";
import { GroupCommit } from "../platform/group-commit";
import { ANSWER_TIMEOUT_MS, outlast, PATIENCE_MS, unavailable } from "./outage";

/** As `ledger_place_holds` takes it. */
export interface HoldItem {
  readonly id: string;
  readonly startupId: string;
  readonly amount: string;
  readonly rateCardId: string;
  readonly placedAt: Date;
  readonly expiresAt: Date;
}

/** As `ledger_resolve_holds` takes it, with the usage record beside a capture. */
export interface ResolutionItem {
  readonly holdId: string;
  readonly resolution: "CAPTURED" | "VOIDED" | "EXPIRED";
  readonly at: Date;
  readonly charge?: string;
  readonly accrual?: string;
  readonly providerId?: string;
  readonly period?: string;
  readonly usage?: Readonly<Record<string, unknown>>;
}

export interface HoldResult {
  readonly code: "HELD" | "INSUFFICIENT_CREDITS" | "HOLD_ID_REUSED";
  /** What was available when its turn came, with INSUFFICIENT_CREDITS. */
  readonly available: string | null;
}

export interface ResolutionResult {
  readonly code: "CAPTURED" | "VOIDED" | "EXPIRED" | "HOLD_NOT_FOUND" | "HOLD_NOT_OPEN";
  readonly charged: string;
  readonly spread: string;
  /** False when an earlier commit had resolved the hold already. */
  readonly fresh: boolean;
}

type Item = ({ hold: HoldItem } | { resolution: ResolutionItem }) & { readonly submittedMs: number };
type Result = HoldResult | ResolutionResult;
/** A failure of one item must not be that of the other 255, so it is an answer. */
type Outcome = { result: Result } | { failure: unknown };

const QUEUED_MAX = 20_000;
/** While a commit has been failing for longer than this, new holds are refused at once instead of queueing behind it. */
const REFUSE_HOLDS_AFTER_MS = 200;

const statement = {
  name: "metering-commit",
  text: "SELECT metering_commit($1, $2, $3) AS answer",
  query_timeout: ANSWER_TIMEOUT_MS,
};

export class SettlementQueue {
  private readonly queue: GroupCommit<Item, Outcome>;
  private failingSinceMs: number | null = null;
  private lastLossMs = 0;
  private committing = false;

  constructor(
    private readonly db: Queryable,
    private readonly afterHolds: (startupIds: Iterable<string>) => void,
  ) {
    this.queue = new GroupCommit<Item, Outcome>({
      commit: (items) => this.commit(items),
      maxQueued: QUEUED_MAX,
    });
  }

  /** Errors: DATABASE_UNAVAILABLE, OVERLOADED, what PostgreSQL refuses. */
  async hold(item: HoldItem): Promise<HoldResult> {
    const failingMs = this.failingSinceMs === null ? 0 : performance.now() - this.failingSinceMs;
    // Nothing in flight means that nobody is trying: this hold then finds out whether the database is back.
    if (this.committing && failingMs > REFUSE_HOLDS_AFTER_MS) throw unavailable();
    return (await this.submit({ hold: item, submittedMs: performance.now() })) as HoldResult;
  }

  /** Errors: DATABASE_UNAVAILABLE, OVERLOADED, what PostgreSQL refuses. */
  async resolve(item: ResolutionItem): Promise<ResolutionResult> {
    return (await this.submit({ resolution: item, submittedMs: performance.now() })) as ResolutionResult;
  }

  drain(): Promise<void> {
    return this.queue.drain();
  }

  get queued(): number {
    return this.queue.queued;
  }

  private async submit(item: Item): Promise<Result> {
    const outcome = await this.queue.submit(item);
    if ("failure" in outcome) throw outcome.failure;
    return outcome.result;
  }

  private async commit(items: Item[]): Promise<Outcome[]> {
    const hopeless = new Set(this.failingSinceMs === null ? [] : items.filter((item) => this.hasWaitedEnough(item)));
    const hopeful = items.filter((item) => !hopeless.has(item));
    this.committing = true;
    const outcomes = (hopeful.length === 0 ? [] : await this.write(hopeful)).values();
    this.committing = false;
    return items.map((item) => (hopeless.has(item) ? { failure: unavailable() } : (outcomes.next().value as Outcome)));
  }

  /** In an outage: a hold that queued behind the failing commit is refused unsent, a settlement once its patience is over. */
  private hasWaitedEnough(item: Item): boolean {
    if ("hold" in item) return item.submittedMs <= this.lastLossMs;
    return performance.now() - item.submittedMs > PATIENCE_MS;
  }

  /** Never rejects. An item that PostgreSQL refuses is found by halving, so that the rest of its batch is written. */
  private async write(items: readonly Item[]): Promise<Outcome[]> {
    try {
      return (await this.send(items)).map((result) => ({ result }));
    } catch (error) {
      if (items.length === 1 || !isRefusedValue(error)) return items.map(() => ({ failure: error }));
      const half = items.length >> 1;
      return [...(await this.write(items.slice(0, half))), ...(await this.write(items.slice(half)))];
    }
  }

  /** Every id in the batch was made by the caller, so repeating a batch that did commit changes nothing and answers the same. */
  private async send(items: readonly Item[]): Promise<Result[]> {
    const holds = items.flatMap((item) => ("hold" in item ? [item.hold] : []));
    const settled = items.flatMap((item) => ("hold" in item ? [] : [item.resolution]));
    const values = [
      JSON.stringify(settled.map(({ usage: _, ...resolution }) => resolution)),
      JSON.stringify(
        settled.flatMap(({ usage }, index) => (usage === undefined ? [] : [{ ord: index + 1, ...usage }])),
      ),
      JSON.stringify(holds),
    ];
    const untilMs = Math.max(...items.map((item) => item.submittedMs)) + PATIENCE_MS;
    const rows = await outlast(
      () => this.db.query<{ answer: { holds: HoldResult[]; resolutions: ResolutionResult[] } }>(statement, values),
      untilMs,
      () => {
        this.lastLossMs = performance.now();
        this.failingSinceMs ??= this.lastLossMs;
      },
    );
    this.failingSinceMs = null;
    const { answer } = rows[0]!;
    this.afterHolds(
      new Set(holds.filter((_, index) => answer.holds[index]?.code === "HELD").map((hold) => hold.startupId)),
    );
    const [nextHold, nextResolution] = [answer.holds.values(), answer.resolutions.values()];
    return items.map((item) => ("hold" in item ? nextHold : nextResolution).next().value as Result);
  }
}

/** Data exceptions (22…) and violated constraints (23…) lie in an item; anything else would befall every half too. */
function isRefusedValue(error: unknown): boolean {
  return /^2[23]/.test(String((error as { code?: unknown }).code));
}
