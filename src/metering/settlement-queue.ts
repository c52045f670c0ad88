/** Feeds holds, settlements and lease acts to the ledger in group commits, and repeats a commit whose fate is unknown. */
import type { Queryable } from "../platform/database";
import { GroupCommit } from "../platform/group-commit";
import { type CommitItem, commitArguments, commitText } from "./commit-arguments";
import {
  type CaptureItem,
  type CaptureResult,
  type CommitAnswer,
  type CommitItems,
  type CommitResults,
  type GrantItem,
  type GrantResult,
  type HoldItem,
  type HoldResult,
  type ItemKind,
  itemKinds,
  type ResolutionItem,
  type ResolutionResult,
  type ReturnItem,
  type ReturnResult,
} from "./commit-items";
import { ANSWER_TIMEOUT_MS, outlast, PATIENCE_MS, unavailable } from "./outage";

interface Item extends CommitItem {
  readonly submittedMs: number;
}
type Result = CommitResults[ItemKind];
/** A failure of one item must not be that of the other 255, so it is an answer. */
type Outcome = { result: Result } | { failure: unknown };

const QUEUED_MAX = 20_000;
/** While a commit has been failing for longer than this, new holds are refused at once instead of queueing behind it. */
const REFUSE_HOLDS_AFTER_MS = 200;

const statement = {
  name: "metering-commit",
  text: commitText,
  query_timeout: ANSWER_TIMEOUT_MS,
};

/** Each method's errors: DATABASE_UNAVAILABLE, OVERLOADED, what PostgreSQL refuses. */
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

  async hold(item: HoldItem): Promise<HoldResult> {
    const failingMs = this.failingSinceMs === null ? 0 : performance.now() - this.failingSinceMs;
    // Nothing in flight means that nobody is trying: this hold then finds out whether the database is back.
    if (this.committing && failingMs > REFUSE_HOLDS_AFTER_MS) throw unavailable();
    return this.submit("holds", item);
  }

  resolve(item: ResolutionItem): Promise<ResolutionResult> {
    return this.submit("resolutions", item);
  }

  capture(item: CaptureItem): Promise<CaptureResult> {
    return this.submit("captures", item);
  }

  grant(item: GrantItem): Promise<GrantResult> {
    return this.submit("grants", item);
  }

  giveBack(item: ReturnItem): Promise<ReturnResult> {
    return this.submit("returns", item);
  }

  drain(): Promise<void> {
    return this.queue.drain();
  }

  get queued(): number {
    return this.queue.queued;
  }

  private async submit<Kind extends ItemKind>(kind: Kind, content: CommitItems[Kind]): Promise<CommitResults[Kind]> {
    const outcome = await this.queue.submit({ kind, content, submittedMs: performance.now() });
    if ("failure" in outcome) throw outcome.failure;
    return outcome.result as CommitResults[Kind];
  }

  private async commit(items: Item[]): Promise<Outcome[]> {
    const hopeless = new Set(this.failingSinceMs === null ? [] : items.filter((item) => this.hasWaitedEnough(item)));
    const hopeful = items.filter((item) => !hopeless.has(item));
    this.committing = true;
    const outcomes = (hopeful.length === 0 ? [] : await this.write(hopeful)).values();
    this.committing = false;
    return items.map((item) => (hopeless.has(item) ? { failure: unavailable() } : (outcomes.next().value as Outcome)));
  }

  /** In an outage: a hold that queued behind the failing commit is refused unsent, all else once its patience is over. */
  private hasWaitedEnough(item: Item): boolean {
    if (item.kind === "holds") return item.submittedMs <= this.lastLossMs;
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
    const turns = inLeaseOrder(items);
    const startupIds = turns.flatMap(({ kind, content }) =>
      kind === "holds" ? [(content as HoldItem).startupId] : [],
    );
    const untilMs = Math.max(...items.map((item) => item.submittedMs)) + PATIENCE_MS;
    const rows = await outlast(
      () => this.db.query<{ answer: CommitAnswer }>(statement, commitArguments(turns)),
      untilMs,
      () => {
        this.lastLossMs = performance.now();
        this.failingSinceMs ??= this.lastLossMs;
      },
    );
    this.failingSinceMs = null;
    const { answer } = rows[0]!;
    this.afterHolds(new Set(startupIds.filter((_, index) => answer.holds[index]?.code === "HELD")));
    const next = {} as Record<ItemKind, Iterator<Result>>;
    for (const kind of itemKinds) next[kind] = answer[kind].values();
    const results = new Map(turns.map((item) => [item, next[item.kind].next().value as Result]));
    return items.map((item) => results.get(item)!);
  }
}

/**
 * Leases are locked in the order of their ids by beats and recalls. A return or a grant that came in another order could
 * wait for one of these in a circle: measured with 150 leases called back at once, each such circle was a second's stall.
 */
function inLeaseOrder(items: readonly Item[]): readonly Item[] {
  if (!items.some(({ kind }) => kind === "returns" || kind === "grants")) return items;
  const leaseIdOf = ({ content }: Item) => ("leaseId" in content ? content.leaseId : "");
  const acts = items.filter(({ kind }) => kind === "returns" || kind === "grants");
  acts.sort((a, b) => (leaseIdOf(a) < leaseIdOf(b) ? -1 : 1));
  return [...items.filter(({ kind }) => kind !== "returns" && kind !== "grants"), ...acts];
}

/** Data exceptions (22…) and violated constraints (23…) lie in an item; anything else would befall every half too. */
function isRefusedValue(error: unknown): boolean {
  return /^2[23]/.test(String((error as { code?: unknown }).code));
}
