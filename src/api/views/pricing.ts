/** Fixings and the rate card as views. */
import type { Fixing } from "../../../entities/fixing";
import type { FixingFlag } from "../../../schema/enums";
import { encodeId } from "../../../schema/node";
import type {
  FixingView,
  PricingTierView,
  RateCardView,
  RevenueEstimateView,
} from "../../../schema/views/pricing.view";
import { formatNano, mulDivHalfEven, NANO } from "../../money/nano";
import type { RevenueEstimate } from "../../pricing/pricing";
import { type PricingTier, type RateCard, sharePpm } from "../../pricing/rate-card";
import type { StoredRateCard } from "../../pricing/rate-card-book";
import { GPU_HOUR_NANOS } from "../../pricing/tier";
import { ratio, usd } from "./money";

export const fixingView = (row: Fixing): FixingView => ({
  id: encodeId("Fixing", row.id),
  acceleratorCode: row.accelerator,
  region: row.region,
  hour: row.hour,
  price: usd(row.priceNanoUsd),
  flags: row.flags as FixingFlag[],
  observationCount: row.components.length,
});

export const pricingTierView = (card: RateCard, tier: PricingTier): PricingTierView => ({
  position: tier.position,
  upToGpuHours: tier.upToGpuHours,
  premium: ratio(tier.premiumPpm),
  share: ratio(sharePpm(card, tier)),
  negotiated: tier.negotiated,
});

export const rateCardView = (card: StoredRateCard): RateCardView => ({
  id: encodeId("RateCard", card.id),
  version: card.version,
  negotiated: card.providerId !== null,
  state: card.state,
  effectiveAt: card.effectiveAt,
  baseShare: ratio(card.baseSharePpm),
  tierReading: card.tierReading,
  premiumReading: card.premiumReading,
  redemptionFactor: ratio(card.redemptionFactorPpm),
  tiers: card.tiers.map((tier) => pricingTierView(card, tier)),
  reason: card.reason,
  proposedAt: card.proposedAt,
  approvedAt: card.approvedAt,
  retiredAt: card.retiredAt,
});

export const revenueEstimateView = ({ card, ...estimate }: RevenueEstimate): RevenueEstimateView => ({
  monthlyRevenue: usd(estimate.totalNanoUsd),
  effectivePricePerGpuHour: usd(estimate.effectiveNanoUsdPerGpuHour),
  spotPricePerGpuHour: usd(estimate.fixingNanoUsdPerGpuHour),
  tier: pricingTierView(card, estimate.tier),
  lines: estimate.lines.map((line) => ({
    tier: pricingTierView(card, line.tier),
    gpuHours: formatNano(mulDivHalfEven(line.gpuNanos, NANO, GPU_HOUR_NANOS)),
    amount: usd(line.amountNanoUsd),
  })),
  rateCard: rateCardView(card),
});
