/** Which pricing tier a month's GPU time reaches. */
import type { PricingTier, RateCard } from "./rate-card";

export const GPU_HOUR_NANOS = 3_600_000_000_000n;

/**
 * The tier that a month of `monthlyGpuNanos` reaches. Edges are inclusive and exact: 10,000 hours are still base, one
 * GPU-nanosecond more is the next tier. RangeError: negative time, or a card whose last tier is not open.
 */
export function tierFor(card: Pick<RateCard, "tiers">, monthlyGpuNanos: bigint): PricingTier {
  if (monthlyGpuNanos < 0n) throw new RangeError(`GPU time cannot be negative, got ${monthlyGpuNanos} ns.`);
  const tier = card.tiers.find(
    ({ upToGpuHours }) => upToGpuHours === null || monthlyGpuNanos <= upToGpuHours * GPU_HOUR_NANOS,
  );
  if (tier === undefined) throw new RangeError("The rate card's last tier must have no upper edge.");
  return tier;
}
