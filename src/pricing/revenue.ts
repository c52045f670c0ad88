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

/** Slices the month along the tiers it passes through: the first hours fill the first tier, and so on. */
function graduatedSlices(card: RevenueTerms, monthlyGpuNanos: bigint): { tier: PricingTier; gpuNanos: bigint }[] {
  const slices: { tier: PricingTier; gpuNanos: bigint }[] = [];
  let slicedGpuNanos = 0n;
  for (const tier of card.tiers) {
    const edgeGpuNanos = tier.upToGpuHours === null ? monthlyGpuNanos : tier.upToGpuHours * GPU_HOUR_NANOS;
    const endGpuNanos = edgeGpuNanos < monthlyGpuNanos ? edgeGpuNanos : monthlyGpuNanos;
    slices.push({ tier, gpuNanos: endGpuNanos - slicedGpuNanos });
    slicedGpuNanos = endGpuNanos;
    if (slicedGpuNanos === monthlyGpuNanos) break;
  }
  return slices;
}

/**
 * VOLUME gives one line at the tier reached, GRADUATED one line per tier touched; each line rounds once, as its accrual
 * does. RangeError: negative time, or a card whose last tier is not open.
 */
export function providerRevenue(
  card: RevenueTerms,
  fixingNanoUsdPerGpuHour: bigint,
  monthlyGpuNanos: bigint,
): ProviderRevenue {
  const tier = tierFor(card, monthlyGpuNanos);
  const slices =
    card.tierReading === "VOLUME" ? [{ tier, gpuNanos: monthlyGpuNanos }] : graduatedSlices(card, monthlyGpuNanos);
  const lines = slices.map((slice) => {
    const share = sharePpm(card, slice.tier);
    return {
      ...slice,
      sharePpm: share,
      amountNanoUsd: accrualNanoUsd(slice.gpuNanos, fixingNanoUsdPerGpuHour, share),
    };
  });
  const totalNanoUsd = lines.reduce((sum, line) => sum + line.amountNanoUsd, 0n);
  const effectiveNanoUsdPerGpuHour =
    monthlyGpuNanos === 0n
      ? accrualNanoUsd(GPU_HOUR_NANOS, fixingNanoUsdPerGpuHour, sharePpm(card, tier))
      : mulDivHalfEven(totalNanoUsd, GPU_HOUR_NANOS, monthlyGpuNanos);
  return { totalNanoUsd, effectiveNanoUsdPerGpuHour, tier, lines };
}
