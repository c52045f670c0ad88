/** The one reader of durable events in a process: PostgreSQL is asked once for everybody who follows, recent events are kept. */
import { isConnectionLoss } from "../platform/database";
import type { Log } from "../platform/log";
import { asSystem } from "../platform/tenancy";
import type { EventBus } from "./event-bus";
import { type DurableEvent, OUTBOX_BATCH_MAX, type Outbox } from "./outbox";
import type { DurableTopic } from "./topics";

/** The bus tells at once; this makes good for what it did not tell, and for a database that was away. */
const POLL_MS = 2_000;
/** Who has fallen less far behind than this is served from memory. */
const RECENT_MAX = 2_048;

/** Another place that keeps events, asked before PostgreSQL. Null: it cannot tell without a hole. */
export interface ReplaySource {
  after(position: bigint, epoch: string): Promise<DurableEvent[] | null>;
}

export interface TailFilter<T extends DurableTopic = DurableTopic> {
  readonly topics: readonly T[];
  /** Null: of all. */
  readonly organisationId: string | null;
}

export interface TailBatch<T extends DurableTopic = DurableTopic> {
  readonly events: readonly DurableEvent<T>[];
  /** Nothing of the filter up to here is missing. */
  readonly upTo: bigint;
}

export interface Follower {
  /** There may be more behind `position`: ask `after`. */
  moved(): void;
  /** The history that was followed is gone (a restored backup): positions count from another one now. */
  restarted(): void;
}

interface TailDependencies {
  readonly outbox: Pick<Outbox, "after" | "extent">;
  readonly bus: EventBus;
  readonly log: Pick<Log, "error" | "warn">;
  readonly replay?: ReplaySource | null | undefined;
  /** What a full reading has. */
  readonly batchMax?: number;
}

export class OutboxTail {
  private readonly followers = new Set<Follower>();
  /** All events behind `recentFrom` up to `at`, whatever their topic. */
  private recent: DurableEvent[] = [];
  private recentFrom = 0n;
  private at: bigint | null = null;
  private history = "";
  private reading = false;
  private stirred = false;
  private stop: (() => void) | null = null;
  private readonly waiting: (() => void)[] = [];
  private readonly batchMax: number;

  constructor(private readonly dependencies: TailDependencies) {
    this.batchMax = dependencies.batchMax ?? OUTBOX_BATCH_MAX;
  }

  /** Reads as long as somebody follows; returns the function that ends it. */
  follow(follower: Follower): () => void {
    this.followers.add(follower);
    if (this.stop === null) asSystem(() => this.start());
    return () => {
      this.followers.delete(follower);
      if (this.followers.size === 0) this.end();
    };
  }

  /** Resolves when it is known where the events end; that may take until a lost database is back. */
  async ready(): Promise<void> {
    while (this.at === null) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  /** Where events end. Only when ready. */
  get position(): bigint {
    if (this.at === null) throw new Error("the tail is not ready");
    return this.at;
  }

  get epoch(): string {
    return this.history;
  }

  /** Whether what follows on `position` is in memory, and cannot have been forgotten. */
  remembers(position: bigint): boolean {
    return this.at !== null && position >= this.recentFrom;
  }

  /** The next events behind `position`, as many as one reading gives. Errors: the database's. */
  async after<T extends DurableTopic>(position: bigint, filter: TailFilter<T>): Promise<TailBatch<T>> {
    const recent = this.fromRecent(position, filter);
    if (recent !== null) return recent;
    const replayed = (await this.dependencies.replay?.after(position, this.history)) ?? null;
    const last = replayed?.at(-1);
    if (replayed !== null && last !== undefined && last.position > position) {
      return { events: matching(replayed, filter), upTo: last.position };
    }
    // Read before the events: those up to it are complete in an answer that is no full batch.
    const end = this.at;
    const events = await asSystem(() => this.dependencies.outbox.after(position, filter.topics, filter.organisationId));
    const newest = events.at(-1)?.position ?? position;
    const upTo = events.length < this.batchMax && end !== null && end > newest ? end : newest;
    return { events, upTo };
  }

  private fromRecent<T extends DurableTopic>(position: bigint, filter: TailFilter<T>): TailBatch<T> | null {
    if (this.at === null || !this.remembers(position)) return null;
    if (position >= this.at) return { events: [], upTo: position };
    return { events: matching(this.recent.slice(firstBehind(this.recent, position)), filter), upTo: this.at };
  }

  private start(): void {
    const { bus } = this.dependencies;
    const offs = [bus.on("outbox.published", () => this.stir()), bus.on("bus.reconnected", () => this.stir())];
    const poll = setInterval(() => void this.check(), POLL_MS).unref();
    this.stop = () => {
      for (const off of offs) off();
      clearInterval(poll);
    };
    this.stir();
  }

  private end(): void {
    this.stop?.();
    this.stop = null;
    this.at = null;
    this.recent = [];
  }

  private stir(): void {
    this.stirred = true;
    // Whoever published may be acting for somebody.
    if (!this.reading) asSystem(() => void this.read());
  }

  private async read(): Promise<void> {
    this.reading = true;
    try {
      while (this.stirred && this.followers.size > 0) {
        this.stirred = false;
        if (this.at === null) await this.begin();
        else await this.readOn(this.at);
      }
    } catch (err) {
      // The next poll tries again; the position has not moved.
      this.report(err);
    } finally {
      this.reading = false;
    }
  }

  private async begin(): Promise<void> {
    const { epoch, head } = await this.dependencies.outbox.extent();
    // All may have left while this was read, and nobody would tell an idle tail of what comes.
    if (this.stop === null) return;
    this.history = epoch;
    this.at = head;
    this.recentFrom = head;
    this.recent = [];
    for (const wake of this.waiting.splice(0)) wake();
    this.stirred = true;
  }

  private async readOn(from: bigint): Promise<void> {
    const events = await this.dependencies.outbox.after(from, null, null);
    const last = events.at(-1);
    if (last === undefined || this.at !== from) return;
    this.recent.push(...events);
    if (this.recent.length > RECENT_MAX * 2) {
      this.recent = this.recent.slice(-RECENT_MAX);
      this.recentFrom = this.recent[0]!.position - 1n;
    }
    this.at = last.position;
    this.stirred ||= events.length === this.batchMax;
    for (const follower of this.followers) follower.moved();
  }

  /** The safety of the poll: events that nobody told of, and a history that was exchanged under us. */
  private async check(): Promise<void> {
    // Taken before the reading: events that are read meanwhile are no sign of another history.
    const from = this.at;
    try {
      const { epoch, head } = await this.dependencies.outbox.extent();
      if (from !== null && this.at !== null && (epoch !== this.history || head < from)) {
        this.history = epoch;
        this.at = head;
        this.recentFrom = head;
        this.recent = [];
        for (const follower of this.followers) follower.restarted();
      }
    } catch (err) {
      this.report(err);
      return;
    }
    this.stir();
  }

  private report(err: unknown): void {
    if (isConnectionLoss(err)) this.dependencies.log.warn({ err }, "durable events cannot be read at the moment");
    else this.dependencies.log.error({ err }, "reading durable events failed");
  }
}

function matching<T extends DurableTopic>(
  events: readonly DurableEvent[],
  { topics, organisationId }: TailFilter<T>,
): DurableEvent<T>[] {
  const wanted: ReadonlySet<DurableTopic> = new Set(topics);
  return events.filter(
    (event) => wanted.has(event.topic) && (organisationId === null || event.organisationId === organisationId),
  ) as DurableEvent<T>[];
}

/** Index of the first event behind `position`; events are in order. */
function firstBehind(events: readonly DurableEvent[], position: bigint): number {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (events[middle]!.position > position) high = middle;
    else low = middle + 1;
  }
  return low;
}
