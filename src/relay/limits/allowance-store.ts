/** Where relay processes have their allowances in common: in Redis, or in the process that started them. */
import type { Cluster, Redis } from "ioredis";
import type { ProcessLine } from "../../platform/process-line";
import type { RedisLink } from "../../platform/redis";
import { borrowScript } from "./borrow-script";

export interface AllowanceStore {
  /** Asking has a chance. */
  readonly connected: boolean;
  /** Keys, arguments and figures are those of the script. Errors: it is away, or did not answer in time. */
  borrow(keys: readonly string[], values: readonly (string | number)[]): Promise<readonly (string | number)[]>;
}

type Borrowing = (Redis | Cluster) & {
  exergyBorrow(keyCount: number, ...keysAndValues: (string | number)[]): Promise<(string | number)[]>;
};

export class RedisAllowances implements AllowanceStore {
  private readonly commands: Borrowing;

  constructor(private readonly redis: RedisLink) {
    redis.commands.defineCommand("exergyBorrow", { lua: borrowScript });
    this.commands = redis.commands as Borrowing;
  }

  get connected(): boolean {
    return this.redis.connected();
  }

  borrow(keys: readonly string[], values: readonly (string | number)[]) {
    return this.commands.exergyBorrow(keys.length, ...keys, ...values);
  }
}

/** What a child asks its parent. */
export interface BorrowQuestion {
  readonly keys: readonly string[];
  readonly values: readonly (string | number)[];
}

export const BORROW = "borrow";
/** As long as a command to Redis may take. */
const PATIENCE_MS = 1_000;

export class ParentAllowances implements AllowanceStore {
  constructor(private readonly line: ProcessLine) {}

  get connected(): boolean {
    return this.line.connected;
  }

  async borrow(keys: readonly string[], values: readonly (string | number)[]) {
    const question: BorrowQuestion = { keys, values };
    const figures = await this.line.ask<readonly number[]>(BORROW, PATIENCE_MS, question);
    if (figures === null) throw new Error("the parent process did not answer");
    return figures;
  }
}
