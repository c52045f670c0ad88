/** One line for each request that is over: at debug for all of them, at info for those that failed, a bounded number a second. */
import type { Log } from "../platform/log";
import type { Observation, Watcher } from "./observation";

/** An outage makes thousands of failures a second; this many show what it is. */
const LINES_PER_SECOND = 10;
const SECOND_MS = 1_000;

/** Ends that somebody may have to look into; the others are the client's, or as they should be. */
const failures: ReadonlySet<string> = new Set(["failed", "no_route", "cut", "unsettled", "internal"]);

/** Nothing that a client or a provider wrote is in a line but the model's name, which the catalog gave it. */
export function requestLog(log: Log, nowMs: () => number = () => performance.now()): Watcher {
  let secondMs = Number.NEGATIVE_INFINITY;
  let written = 0;
  let left = 0;
  return (seen) => {
    if (!failures.has(seen.outcome)) {
      if (log.isLevelEnabled("debug")) log.debug(lineOf(seen), "request");
      return;
    }
    if (nowMs() - secondMs >= SECOND_MS) {
      secondMs = nowMs();
      written = 0;
    }
    if (written >= LINES_PER_SECOND) {
      left += 1;
      return;
    }
    written += 1;
    log.info({ ...lineOf(seen), ...(left > 0 ? { notLogged: left } : {}) }, "a request failed");
    left = 0;
  };
}

function lineOf(seen: Observation): object {
  return {
    requestId: seen.requestId,
    operation: seen.operation,
    model: seen.model,
    streamed: seen.streamed,
    outcome: seen.outcome,
    attempts: seen.attempts.map(({ result }) => result),
    durationMs: rounded(seen.durationMs),
    overheadMs: rounded(seen.overheadMs),
    ...(seen.firstContentMs === null ? {} : { firstTokenMs: rounded(seen.firstContentMs - seen.startedMs) }),
    promptTokens: seen.promptTokens,
    completionTokens: seen.completionTokens,
    bytesIn: seen.bytesIn,
    bytesOut: seen.bytesOut,
  };
}

const rounded = (ms: number): number => Math.round(ms * 1_000) / 1_000;
