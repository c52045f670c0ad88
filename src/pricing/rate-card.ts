/** What a rate card says: the provider's share of the fixing per tier, how tiers read, and what credits redeem at. */
import { mulDivHalfEven, PPM } from "../money/nano";

/** VOLUME pays all hours of the month at the tier reached; GRADUATED pays each hour at the tier it falls into. */
export type TierReading = "VOLUME" | "GRADUATED";

/** RELATIVE reads "+2 %" as base × 1.02 (86.7 % of spot); POINTS reads it as base + 2 points (87 %). */
export type PremiumReading = "RELATIVE" | "POINTS";

export interface PricingTier {
  position: number;
  /** Inclusive upper edge in whole GPU-hours a month; null on the last tier only. */
  upToGpuHours: bigint | null;
  premiumPpm: bigint;
  /** The premium stands in until a negotiated rate with its approver replaces it. */
  negotiated: boolean;
}

export interface RateCard {
  id: string;
  version: number;
  effectiveAt: Date;
  /** The provider's share of the fixing before any premium. */
  baseSharePpm: bigint;
  tierReading: TierReading;
  premiumReading: PremiumReading;
  /** Redemption price of one credit's worth of GPU time, relative to the fixing. */
  redemptionFactorPpm: bigint;
  /** Ordered by position, edges rising, the last one open. */
  tiers: readonly PricingTier[];
}

export type RateCardTerms = Omit<RateCard, "id" | "version" | "effectiveAt">;

/** The provider's share of the fixing in this tier. */
export function sharePpm(
  card: Pick<RateCard, "baseSharePpm" | "premiumReading">,
  tier: Pick<PricingTier, "premiumPpm">,
): bigint {
  return card.premiumReading === "POINTS"
    ? card.baseSharePpm + tier.premiumPpm
    : mulDivHalfEven(card.baseSharePpm, PPM + tier.premiumPpm, PPM);
}

/**
 * The terms that providers are onboarded with.
 *
 * Why credits redeem at 1.35 × the fixing: a dollar of funding becomes up to 1.50 credits, and each credit redeemed at
 * spot would owe the provider up to 0.89 of spot (85 % + 4 points), so the worst provider cost of one funded dollar is
 * 1.50 × 0.89 = 1.335. At any factor below that, full use of a 1.50× facility owes providers more than was funded;
 * 1.35 leaves 1.1 % for rounding and for a negotiated share of up to 90 %.
 */
export const STANDARD_RATE_CARD_TERMS: RateCardTerms = {
  baseSharePpm: 850_000n,
  tierReading: "VOLUME",
  premiumReading: "RELATIVE",
  redemptionFactorPpm: 1_350_000n,
  tiers: [
    { position: 1, upToGpuHours: 10_000n, premiumPpm: 0n, negotiated: false },
    { position: 2, upToGpuHours: 50_000n, premiumPpm: 20_000n, negotiated: false },
    { position: 3, upToGpuHours: 200_000n, premiumPpm: 40_000n, negotiated: false },
    { position: 4, upToGpuHours: null, premiumPpm: 40_000n, negotiated: true },
  ],
};
