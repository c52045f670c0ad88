/** What an attempt's end teaches about its endpoint: latency, cool-down, and a breaker with one trial at a time. */
import type { LiveState } from "./candidate";

export type FailureKind = "CONNECT" | "TIMEOUT" | "STATUS_5XX" | "THROTTLED" | "CUT";

/** Old latency fades with this time constant (Kong and Finagle use 10 s). */
export const EWMA_DECAY_MS = 10_000;
/** Failures in a row, without a success between, that open the breaker. */
export const FAILURES_TO_OPEN = 3;
const OPEN_MS_MIN = 1_000;
const OPEN_MS_MAX = 30_000;
/** A trial that ended without a verdict (the client left) gives its place back after this time. */
const TRIAL_MS = 10_000;
const RETRY_AFTER_MS_DEFAULT = 1_000;
/** A mistaken Retry-After of a day must not retire an endpoint. */
const RETRY_AFTER_MS_MAX = 600_000;

/** Whether nothing may be sent now; after an open breaker's pause, one trial at a time may. */
export function isCoolingDown(live: LiveState, nowMs: number): boolean {
  return nowMs < live.cooldownUntilMs || (live.openedAtMs > 0 && nowMs < live.trialUntilMs);
}

export type BreakerState = "CLOSED" | "HALF_OPEN" | "OPEN";

/** HALF_OPEN: its pause is over, and no trial has shown yet that it is well. */
export function breakerState(live: LiveState, nowMs: number): BreakerState {
  if (live.openedAtMs === 0) return "CLOSED";
  return nowMs < live.cooldownUntilMs ? "OPEN" : "HALF_OPEN";
}

/** Counts an attempt in; through a half-open breaker it is the trial, and keeps others out. */
export function beginAttempt(live: LiveState, nowMs: number): void {
  live.inFlight += 1;
  if (live.openedAtMs > 0) live.trialUntilMs = nowMs + TRIAL_MS;
}

/** Counts an attempt out, whatever became of it. Call once per beginAttempt. */
export function endAttempt(live: LiveState): void {
  live.inFlight = Math.max(0, live.inFlight - 1);
}

/** `latencyMs` null: it went well, and how fast is not known. */
export function recordSuccess(live: LiveState, latencyMs: number | null, nowMs: number): void {
  if (latencyMs !== null) measure(live, latencyMs, nowMs);
  if (live.openedAtMs === 0) {
    live.consecutiveFailures = 0;
    return;
  }
  // An answer to a request sent before the breaker opened says nothing about now: only a trial closes it.
  if (nowMs < live.cooldownUntilMs) return;
  live.openedAtMs = 0;
  live.trialUntilMs = 0;
  live.consecutiveFailures = 0;
  live.cooldownUntilMs = nowMs;
}

/** Peak EWMA: a slower answer counts at once and whole, a faster one only as the old figure fades. */
function measure(live: LiveState, latencyMs: number, nowMs: number): void {
  if (live.ewmaMs === null || latencyMs >= live.ewmaMs) {
    live.ewmaMs = latencyMs;
  } else {
    const kept = Math.exp(-Math.max(0, nowMs - live.ewmaAtMs) / EWMA_DECAY_MS);
    live.ewmaMs = live.ewmaMs * kept + latencyMs * (1 - kept);
  }
  live.ewmaAtMs = nowMs;
}

/** Errors: none; a `retryAfterMs` that is no time counts as absent. */
export function recordFailure(live: LiveState, kind: FailureKind, nowMs: number, retryAfterMs?: number): void {
  const waiting = nowMs < live.cooldownUntilMs;
  if (kind === "THROTTLED" || retryAfterMs !== undefined) {
    live.cooldownUntilMs = Math.max(live.cooldownUntilMs, nowMs + boundedRetryAfterMs(retryAfterMs));
  }
  if (kind === "THROTTLED") {
    // The endpoint is well and says so: not a failure, but it gave the trial no verdict either.
    live.trialUntilMs = 0;
    return;
  }
  // Twenty requests in flight when an endpoint dies are one death: only the first of them sets the pause.
  if (live.openedAtMs > 0 && waiting) return;
  live.consecutiveFailures += 1;
  // Nobody listens there: waiting for two more refusals would cost two more clients a retry.
  if (kind === "CONNECT") live.consecutiveFailures = Math.max(live.consecutiveFailures, FAILURES_TO_OPEN);
  if (live.openedAtMs > 0 || live.consecutiveFailures >= FAILURES_TO_OPEN) open(live, nowMs);
}

function open(live: LiveState, nowMs: number): void {
  const doublings = Math.min(live.consecutiveFailures - FAILURES_TO_OPEN, 10);
  const pauseMs = Math.min(OPEN_MS_MAX, OPEN_MS_MIN * 2 ** Math.max(0, doublings));
  live.openedAtMs = nowMs;
  live.trialUntilMs = 0;
  live.cooldownUntilMs = Math.max(live.cooldownUntilMs, nowMs + pauseMs);
}

function boundedRetryAfterMs(retryAfterMs: number | undefined): number {
  if (retryAfterMs === undefined || !(retryAfterMs > 0)) return RETRY_AFTER_MS_DEFAULT;
  return Math.min(retryAfterMs, RETRY_AFTER_MS_MAX);
}
