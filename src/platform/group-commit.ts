/** Turns many small writes into few commits without a timer: whatever arrives while one commit is in flight is the next batch. */

import { DomainError } from "./errors";

export interface GroupCommitOptions<Item, Result> {
  /**
   * Writes the batch and answers with one result per item, in the same order.
   * When it rejects, every item of the batch is rejected with that error; a retry after a lost COMMIT reply belongs in here.
   */
  commit: (items: Item[]) => Promise<Result[]>;
  maxBatch?: number;
  /** Items waiting for a commit, those in flight not counted; beyond it `submit` rejects with QueueFull. */
  maxQueued: number;
}

export class QueueFull extends DomainError {
  constructor(readonly maxQueued: number) {
    super(
      "OVERLOADED",
      `${maxQueued} writes are waiting already: the database is slower than the requests that come in`,
    );
  }
}

/** Above 256 rows a set-based statement gains little and each of its items waits longer (DESIGN §5). */
const maxBatchDefault = 256;

interface Waiting<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

export class GroupCommit<Item, Result> {
  private waiting: Waiting<Item, Result>[] = [];
  private committing = false;
  private pumping = false;
  private whenIdle: (() => void)[] = [];

  constructor(private readonly options: GroupCommitOptions<Item, Result>) {}

  /** How many items wait for a commit, for metrics. */
  get queued(): number {
    return this.waiting.length;
  }

  submit(item: Item): Promise<Result> {
    if (this.waiting.length >= this.options.maxQueued) return Promise.reject(new QueueFull(this.options.maxQueued));
    return new Promise<Result>((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      if (this.pumping || this.committing) return;
      this.pumping = true;
      // A microtask later, so that items submitted in the same tick share the commit.
      queueMicrotask(() => this.pump());
    });
  }

  /** Resolves when nothing waits and nothing is in flight, items that arrive meanwhile included. */
  drain(): Promise<void> {
    if (!this.committing && this.waiting.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.whenIdle.push(resolve));
  }

  private pump(): void {
    this.pumping = false;
    if (this.waiting.length === 0 || this.committing) return;
    this.committing = true;
    void this.commit(this.waiting.splice(0, this.options.maxBatch ?? maxBatchDefault));
  }

  /**
   * The next batch goes to the database before the results of this one are handed out: what callers do with theirs takes
   * as long as a commit, and the database would idle meanwhile.
   */
  private async commit(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    const handOut = await this.outcome(batch);
    this.committing = false;
    const more = this.waiting.length > 0;
    this.pump();
    // Clients of pg send on the next tick, which comes only after every promise callback that is due now.
    if (more) setImmediate(() => this.close(handOut));
    else this.close(handOut);
  }

  private close(handOut: () => void): void {
    handOut();
    if (this.committing || this.waiting.length > 0) return;
    for (const resolve of this.whenIdle.splice(0)) resolve();
  }

  /** Never rejects; resolves with what hands the results out. */
  private async outcome(batch: readonly Waiting<Item, Result>[]): Promise<() => void> {
    try {
      const results = await this.options.commit(batch.map(({ item }) => item));
      if (results.length !== batch.length) {
        throw new Error(`commit answered ${results.length} results for ${batch.length} items`);
      }
      return () => {
        batch.forEach(({ resolve }, index) => {
          resolve(results[index] as Result);
        });
      };
    } catch (error) {
      return () => {
        for (const { reject } of batch) reject(error);
      };
    }
  }
}
