/** Computes one hourly spot reference from observations: drop the old, trim the extremes, weigh, guard against jumps. */
import { mulDivDown, mulDivHalfEven, PPM } from "../money/nano";

export interface SpotObservation {
  id: string;
  priceNanoUsd: bigint;
  /** 0..1_000_000. */
  confidencePpm: bigint;
  observedAt: Date;
}

export type FixingFlag = "STALE" | "JUMP_GUARDED";

export interface FixingComponent {
  observationId: string;
  priceNanoUsd: bigint;
  /** Confidence × recency. A trimmed component keeps the weight that it would have had. */
  weightPpm: bigint;
  trimmed: boolean;
}

/** The components, in order of price, are enough to compute the unguarded price again. */
export interface Fixing {
  priceNanoUsd: bigint;
  flags: FixingFlag[];
  components: FixingComponent[];
}

export interface FixingOptions {
  at: Date;
  previousNanoUsd: bigint | null;
  ttlMs?: number;
  /** Cut off at each end, as a part of the number of observations; below one half, so that something always stays. */
  trimPpm?: bigint;
  maxMovePpm?: bigint;
}

const DAY_MS = 86_400_000;

/** An observation from after `at` is left out, so that a fixing computed again later comes out the same. */
function isUsable(observation: SpotObservation, at: Date, ttlMs: number): boolean {
  const ageMs = at.getTime() - observation.observedAt.getTime();
  return (
    ageMs >= 0 &&
    ageMs <= ttlMs &&
    observation.priceNanoUsd > 0n &&
    observation.confidencePpm > 0n &&
    observation.confidencePpm <= PPM
  );
}

/** Recency falls in a line from 1.0 (now) to 0.5 (at the end of the ttl). */
function weightPpm(observation: SpotObservation, at: Date, ttlMs: number): bigint {
  const ageMs = BigInt(at.getTime() - observation.observedAt.getTime());
  const doubleTtlMs = 2n * BigInt(ttlMs);
  const weight = mulDivHalfEven(observation.confidencePpm, doubleTtlMs - ageMs, doubleTtlMs);
  // A confidence of 1 ppm may round to nothing; a usable observation must count, or the mean divides by zero.
  return weight === 0n ? 1n : weight;
}

function componentsOf(observations: readonly SpotObservation[], at: Date, ttlMs: number, trimPpm: bigint) {
  const byPrice = observations
    .filter((observation) => isUsable(observation, at, ttlMs))
    .sort((a, b) => {
      if (a.priceNanoUsd !== b.priceNanoUsd) return a.priceNanoUsd < b.priceNanoUsd ? -1 : 1;
      // Which of two equal prices is trimmed changes the weights, so the order may not depend on the query's.
      return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
    });
  const cut = Number(mulDivDown(BigInt(byPrice.length), trimPpm, PPM));
  return byPrice.map((observation, rank) => ({
    observationId: observation.id,
    priceNanoUsd: observation.priceNanoUsd,
    weightPpm: weightPpm(observation, at, ttlMs),
    trimmed: rank < cut || rank >= byPrice.length - cut,
  }));
}

function weightedMean(components: readonly FixingComponent[]): bigint {
  let weightedSum = 0n;
  let weightSum = 0n;
  for (const component of components) {
    if (component.trimmed) continue;
    weightedSum += component.priceNanoUsd * component.weightPpm;
    weightSum += component.weightPpm;
  }
  return mulDivHalfEven(weightedSum, 1n, weightSum);
}

function guardJump(priceNanoUsd: bigint, previousNanoUsd: bigint, maxMovePpm: bigint): bigint {
  const moveNanoUsd = mulDivDown(previousNanoUsd, maxMovePpm, PPM);
  if (priceNanoUsd > previousNanoUsd + moveNanoUsd) return previousNanoUsd + moveNanoUsd;
  if (priceNanoUsd < previousNanoUsd - moveNanoUsd) return previousNanoUsd - moveNanoUsd;
  return priceNanoUsd;
}

/**
 * The fixing at `at`. Without a usable observation (fresh, positive price, confidence in range) the previous price
 * stands, flagged STALE; without a previous one there is no fixing. RangeError: an option out of its range.
 */
export function computeFixing(observations: readonly SpotObservation[], options: FixingOptions): Fixing | null {
  const { at, previousNanoUsd, ttlMs = DAY_MS, trimPpm = 100_000n, maxMovePpm = 250_000n } = options;
  if (!Number.isSafeInteger(ttlMs) || ttlMs <= 0) throw new RangeError(`ttlMs has to be positive, got ${ttlMs}.`);
  if (trimPpm < 0n || trimPpm * 2n >= PPM) throw new RangeError(`trimPpm has to be in 0..499999, got ${trimPpm}.`);
  if (maxMovePpm < 0n || maxMovePpm > PPM)
    throw new RangeError(`maxMovePpm has to be in 0..1000000, got ${maxMovePpm}.`);
  if (previousNanoUsd !== null && previousNanoUsd <= 0n) {
    throw new RangeError(`A previous fixing has to be positive, got ${previousNanoUsd}.`);
  }

  const components = componentsOf(observations, at, ttlMs, trimPpm);
  if (components.length === 0) {
    return previousNanoUsd === null ? null : { priceNanoUsd: previousNanoUsd, flags: ["STALE"], components };
  }
  const meanNanoUsd = weightedMean(components);
  const priceNanoUsd = previousNanoUsd === null ? meanNanoUsd : guardJump(meanNanoUsd, previousNanoUsd, maxMovePpm);
  return { priceNanoUsd, flags: priceNanoUsd === meanNanoUsd ? [] : ["JUMP_GUARDED"], components };
}
