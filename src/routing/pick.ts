/** Chooses one of the candidates that may serve: the better of two drawn by weight (power of two choices). */
import type { Candidate } from "./candidate";
import { EWMA_DECAY_MS } from "./cooldown";
import { weightOf } from "./weight";

/** Reused by every pick, which never waits between filling and reading it; allocating it would cost more than the draw. */
let weights = new Float64Array(256);

/**
 * Draws two distinct candidates by weight and takes the one with less work ahead per slot. `candidates` are those without
 * a refusal; `random` gives numbers in [0, 1) and is asked at most twice. Null when there is nothing to draw.
 */
export function pick(candidates: readonly Candidate[], nowMs: number, random: () => number): Candidate | null {
  if (weights.length < candidates.length) weights = new Float64Array(candidates.length * 2);
  let total = 0;
  for (let i = 0; i < candidates.length; i += 1) {
    const weight = weightOf(candidates[i]!, nowMs);
    weights[i] = weight;
    total += weight;
  }
  if (!(total > 0)) return null;
  const first = draw(candidates.length, random() * total, -1);
  const rest = total - weights[first]!;
  // What subtraction leaves over of a single weight is rounding, not a second candidate.
  if (rest <= total * 1e-12) return candidates[first]!;
  const second = draw(candidates.length, random() * rest, first);
  const a = candidates[first]!;
  const b = candidates[second]!;
  let unknownMs = 0;
  if (a.live.ewmaMs === null || b.live.ewmaMs === null) unknownMs = meanKnownMs(candidates, nowMs);
  return workAhead(b, nowMs, unknownMs) < workAhead(a, nowMs, unknownMs) ? b : a;
}

function draw(count: number, point: number, skipped: number): number {
  let left = point;
  let last = -1;
  for (let i = 0; i < count; i += 1) {
    const weight = weights[i]!;
    if (i === skipped || weight === 0) continue;
    left -= weight;
    if (left < 0) return i;
    last = i;
  }
  return last;
}

function workAhead({ live, slots }: Candidate, nowMs: number, unknownMs: number): number {
  return ((fadedMs(live.ewmaMs, live.ewmaAtMs, nowMs) ?? unknownMs) * (live.inFlight + 1)) / slots;
}

/** A latency nobody has confirmed for a while fades, or an endpoint that was slow once would never be asked again. */
function fadedMs(ewmaMs: number | null, ewmaAtMs: number, nowMs: number): number | null {
  if (ewmaMs === null) return null;
  return ewmaMs * Math.exp(-Math.max(0, nowMs - ewmaAtMs) / EWMA_DECAY_MS);
}

/** What an unmeasured endpoint counts as, so that a newcomer is neither flooded nor starved; 1 when nobody was measured. */
function meanKnownMs(candidates: readonly Candidate[], nowMs: number): number {
  let sum = 0;
  let known = 0;
  for (const { live } of candidates) {
    const ms = fadedMs(live.ewmaMs, live.ewmaAtMs, nowMs);
    if (ms === null) continue;
    sum += ms;
    known += 1;
  }
  return known === 0 ? 1 : sum / known;
}
