/** What a month of GPU time earns a provider; the public calculator and the period close both call it. */
import { mulDivHalfEven } from "../money/nano";
import { type PricingTier, type RateCard, sharePpm } from "./rate-card";
import { accrualNanoUsd } from "./settlement";
import { GPU_HOUR_NANOS, tierFor } from "./tier";

export type RevenueTerms = Pick<RateCard, "baseSharePpm" | "premiumReading" | "tierReading" | "tiers">;

export interface RevenueLine {
  tier: PricingTier;
  gpuNanos: bigint;
  sharePpm: bigint;
  amountNanoUsd: bigint;
}

export interface ProviderRevenue {
  totalNanoUsd: bigint;
  /** Total ÷ hours, for display; for a month without hours, what its first hour would earn. */
  effectiveNanoUsdPerGpuHour: bigint;
  /** The tier reached, under either reading. */
  tier: PricingTier;
  lines: RevenueLine[];
}

/** GPU time of the month that was delivered at one fixing under one card. */
export interface MonthPart {
  readonly card: RevenueTerms;
  readonly fixingNanoUsdPerGpuHour: bigint;
  readonly gpuNanos: bigint;
}

/** What of the month from `fromGpuNanos` to `toGpuNanos` falls into each tier; a month without hours is in the first. */
function graduatedSlices(card: RevenueTerms, fromGpuNanos: bigint, toGpuNanos: bigint) {
  const slices: { tier: PricingTier; gpuNanos: bigint }[] = [];
  let lowerGpuNanos = 0n;
  for (const tier of card.tiers) {
    const upperGpuNanos = tier.upToGpuHours === null ? toGpuNanos : tier.upToGpuHours * GPU_HOUR_NANOS;
    const begin = fromGpuNanos > lowerGpuNanos ? fromGpuNanos : lowerGpuNanos;
    const end = toGpuNanos < upperGpuNanos ? toGpuNanos : upperGpuNanos;
    if (end > begin || (fromGpuNanos === toGpuNanos && end === begin)) slices.push({ tier, gpuNanos: end - begin });
    if (toGpuNanos <= upperGpuNanos) break;
    lowerGpuNanos = upperGpuNanos;
  }
  return slices;
}

function linesOf({ card, fixingNanoUsdPerGpuHour, gpuNanos }: MonthPart, before: bigint, month: bigint): RevenueLine[] {
  const slices =
    card.tierReading === "VOLUME"
      ? [{ tier: tierFor(card, month), gpuNanos }]
      : graduatedSlices(card, before, before + gpuNanos);
  return slices.map((slice) => {
    const share = sharePpm(card, slice.tier);
    const amountNanoUsd = accrualNanoUsd(slice.gpuNanos, fixingNanoUsdPerGpuHour, share);
    return { ...slice, sharePpm: share, amountNanoUsd };
  });
}

/**
 * What a whole month earns when its hours were delivered at several fixings, perhaps under several cards; `parts` in the
 * order of delivery. VOLUME pays every part at the tier that the whole month reached; GRADUATED lets the month's first
 * hours fill the first tier, whichever part they belong to. Each line rounds once, as its accrual does.
 * RangeError: negative time, or a card whose last tier is not open.
 */
export function monthRevenue(parts: readonly MonthPart[]): { totalNanoUsd: bigint; lines: RevenueLine[] } {
  const month = parts.reduce((sum, { gpuNanos }) => sum + gpuNanos, 0n);
  const lines: RevenueLine[] = [];
  let before = 0n;
  for (const part of parts) {
    lines.push(...linesOf(part, before, month));
    before += part.gpuNanos;
  }
  return { totalNanoUsd: lines.reduce((sum, { amountNanoUsd }) => sum + amountNanoUsd, 0n), lines };
}

/**
 * A month at one fixing under one card: VOLUME gives one line at the tier reached, GRADUATED one line per tier touched.
 * RangeError: negative time, or a card whose last tier is not open.
 */
export function providerRevenue(
  card: RevenueTerms,
  fixingNanoUsdPerGpuHour: bigint,
  monthlyGpuNanos: bigint,
): ProviderRevenue {
  const tier = tierFor(card, monthlyGpuNanos);
  const { totalNanoUsd, lines } = monthRevenue([{ card, fixingNanoUsdPerGpuHour, gpuNanos: monthlyGpuNanos }]);
  const effectiveNanoUsdPerGpuHour =
    monthlyGpuNanos === 0n
      ? accrualNanoUsd(GPU_HOUR_NANOS, fixingNanoUsdPerGpuHour, sharePpm(card, tier))
      : mulDivHalfEven(totalNanoUsd, GPU_HOUR_NANOS, monthlyGpuNanos);
  return { totalNanoUsd, effectiveNanoUsdPerGpuHour, tier, lines };
}
