/** Turns tokens into GPU time by an offering's throughput, and that into the per-million prices that startups see. */
import { mulDivHalfEven, NANO } from "../money/nano";
import type { RateCard } from "./rate-card";
import { chargeNanoCredit } from "./settlement";

/** Positive integers, as checked by the offering's validation run. */
export interface Throughput {
  prefillTokensPerGpuSecond: number;
  decodeTokensPerGpuSecond: number;
}

export interface TokenUsage {
  promptTokens: number;
  completionTokens: number;
}

/** Credits per million tokens. */
export interface TokenPrices {
  promptNanoCredit: bigint;
  completionNanoCredit: bigint;
}

const MILLION_TOKENS = 1_000_000;

function integerFrom(minimum: number, name: string, value: number): bigint {
  if (!Number.isSafeInteger(value) || value < minimum) {
    throw new RangeError(`${name} has to be an integer of at least ${minimum}, got ${value}.`);
  }
  return BigInt(value);
}

/**
 * GPU time of one request: prompt ÷ prefill rate + completion ÷ decode rate, added as fractions over one denominator so
 * that the sum rounds once. RangeError: negative or fractional tokens, or a rate that is not a positive integer.
 */
export function gpuNanosFor(usage: TokenUsage, throughput: Throughput): bigint {
  const prompt = integerFrom(0, "promptTokens", usage.promptTokens);
  const completion = integerFrom(0, "completionTokens", usage.completionTokens);
  const prefill = integerFrom(1, "prefillTokensPerGpuSecond", throughput.prefillTokensPerGpuSecond);
  const decode = integerFrom(1, "decodeTokensPerGpuSecond", throughput.decodeTokensPerGpuSecond);
  return mulDivHalfEven(prompt * decode + completion * prefill, NANO, prefill * decode);
}

/** Exactly what a request of one million prompt, or one million completion, tokens would be charged. */
export function pricePerMillionTokens(
  throughput: Throughput,
  fixingNanoUsdPerGpuHour: bigint,
  card: Pick<RateCard, "redemptionFactorPpm">,
): TokenPrices {
  const priceOf = (usage: TokenUsage) =>
    chargeNanoCredit(gpuNanosFor(usage, throughput), fixingNanoUsdPerGpuHour, card);
  return {
    promptNanoCredit: priceOf({ promptTokens: MILLION_TOKENS, completionTokens: 0 }),
    completionNanoCredit: priceOf({ promptTokens: 0, completionTokens: MILLION_TOKENS }),
  };
}
