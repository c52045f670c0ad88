/** What a lost connection leaves undecided is repeated, for as long as a client can be kept waiting. */
import { setTimeout as pause } from "node:timers/promises";
import { isConnectionLoss } from "../platform/database";
import { DomainError } from "../platform/errors";

/** A restart of PostgreSQL was measured at 0.2–1 s; a client that waits for its last byte should outlive one. */
export const PATIENCE_MS = 1_600;
/** A server that accepts and never answers counts as lost after this; a commit of 256 takes some 30 ms. */
export const ANSWER_TIMEOUT_MS = 2_000;

const REPEAT_AFTER_MS = [25, 75, 200, 400, 900];
/** Nothing took effect, and the same statement may well succeed: deadlock, serialisation failure, a cancelled statement. */
const repeatable = new Set(["40001", "40P01", "57014"]);

/** Repeats `work` until it answers or `untilMs` (of performance.now) has passed. Errors: DATABASE_UNAVAILABLE, those of `work`. */
export async function outlast<Result>(
  work: () => Promise<Result>,
  untilMs: number,
  onLoss: () => void = () => undefined,
): Promise<Result> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!isPassing(error)) throw error;
      onLoss();
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0) throw unavailable(error);
      await pause(Math.min(leftMs, REPEAT_AFTER_MS[attempt] ?? leftMs));
    }
  }
}

export function unavailable(cause?: unknown): DomainError {
  return new DomainError(
    "DATABASE_UNAVAILABLE",
    "The ledger cannot be reached at the moment. Nothing was admitted; try again shortly.",
    { cause },
  );
}

function isPassing(error: unknown): boolean {
  if (isConnectionLoss(error)) return true;
  const { code, message } = error as { code?: unknown; message?: unknown };
  return (typeof code === "string" && repeatable.has(code)) || message === "Query read timeout";
}
