/** How often a candidate should be drawn, relative to the others: emptier, cheaper and better ones more often. */
import type { SlaTierCode } from "../../schema/enums";
import type { Candidate } from "./candidate";

/**
 * Share of a pool that may be sold before its weight falls to the floor, by pool size: a small pool queues at a fill
 * that a large one bears (marketplace.md §10.4). Between two rows the target is linear in the slots.
 */
const fillTargets: readonly { slots: number; target: number }[] = [
  { slots: 8, target: 0.55 },
  { slots: 16, target: 0.7 },
  { slots: 64, target: 0.8 },
];

const tierBoost: Readonly<Record<SlaTierCode, number>> = { STANDARD: 1, PREMIUM: 1.15, ENTERPRISE: 1.3 };

/** A pool at or over its target still gets a trickle, or it could never be seen to recover. */
const FILL_DEFICIT_MIN = 0.05;
const SLOW_START_MS = 10_000;
const SLOW_START_MIN = 0.1;

/** The fill in 0…1 up to which a pool of `slots` is filled by preference. */
export function fillTarget(slots: number): number {
  // By index: this runs once per candidate and request; an iterator made the pick a fifth slower.
  let i = 0;
  while (i < fillTargets.length - 1 && slots > fillTargets[i]!.slots) i += 1;
  const above = fillTargets[i]!;
  if (i === 0 || slots >= above.slots) return above.target;
  const below = fillTargets[i - 1]!;
  return below.target + ((above.target - below.target) * (slots - below.slots)) / (above.slots - below.slots);
}

/** Relative weight, > 0; 0 only for a candidate without slots. */
export function weightOf(candidate: Candidate, nowMs: number): number {
  const { slots, live } = candidate;
  if (!(slots > 0)) return 0;
  const target = fillTarget(slots);
  const deficit = clamp((target - live.inFlight / slots) / target, FILL_DEFICIT_MIN, 1);
  // A factor below 1, which the scale does not have, must not win the market.
  const cost = Math.max(1, candidate.costFactor);
  return (deficit / cost) * tierBoost[candidate.slaTier] * slowStart(live.cooldownUntilMs, nowMs);
}

/** An endpoint back from a pause has cold caches and connections: its share grows over ten seconds. */
function slowStart(cooldownUntilMs: number, nowMs: number): number {
  if (cooldownUntilMs === 0) return 1;
  return clamp((nowMs - cooldownUntilMs) / SLOW_START_MS, SLOW_START_MIN, 1);
}

function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, value));
}
