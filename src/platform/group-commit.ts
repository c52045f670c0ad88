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
  private active = false;
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
      if (this.active) return;
      this.active = true;
      // A microtask later, so that items submitted in the same tick share the commit.
      queueMicrotask(() => void this.commitUntilEmpty());
    });
  }

  /** Resolves when nothing waits and nothing is in flight, items that arrive meanwhile included. */
  drain(): Promise<void> {
    if (!this.active) return Promise.resolve();
    return new Promise((resolve) => this.whenIdle.push(resolve));
  }

  private async commitUntilEmpty(): Promise<void> {
    const maxBatch = this.options.maxBatch ?? maxBatchDefault;
    while (this.waiting.length > 0) await this.commitBatch(this.waiting.splice(0, maxBatch));
    this.active = false;
    for (const resolve of this.whenIdle.splice(0)) resolve();
  }

  private async commitBatch(batch: Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.options.commit(batch.map(({ item }) => item));
      if (results.length !== batch.length) {
        throw new Error(`commit answered ${results.length} results for ${batch.length} items`);
      }
      batch.forEach(({ resolve }, index) => {
        resolve(results[index] as Result);
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
