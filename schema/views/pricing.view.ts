/** What GPU time is worth: fixings, the volume tiers of the rate card, the revenue calculator's answer. */
import { FixingFlag, PremiumReading, RateCardState, TierReading } from "../enums";
import { Big, Exact, Flag, Instant, ListOf, Of, Text, View, Whole } from "../fields";
import { Money } from "../money";
import { Node } from "../node";
import { connectionOf } from "../page";

@View("Fixing", "The frozen spot reference of one accelerator, region and hour.", { implements: [Node] })
export class FixingView extends Node {
  @Text("Region that it holds for.") region!: string;
  @Instant("The hour that it holds for.") hour!: Date;
  @Of(() => Money, "Spot price of one GPU-hour.") price!: Money;
  @ListOf(() => FixingFlag, "What was unusual about it.") flags!: readonly FixingFlag[];
  @Whole("How many observations went into it.") observationCount!: number;
  acceleratorCode!: string;
}

@View("PricingTier", "A volume tier: what a month of that many GPU-hours pays.")
export class PricingTierView {
  @Whole("Its place, from 1.") position!: number;
  @Big("The last whole GPU-hour of the month in it; null on the last tier.", { nullable: true }) upToGpuHours!:
    | bigint
    | null;
  @Exact("What it adds to the base share, e.g. `0.02` for 2 %.") premium!: string;
  @Exact("What a provider receives of the fixing, e.g. `0.867` for 86.7 %.") share!: string;
  @Flag("Whether the premium is a floor below a negotiated rate.") negotiated!: boolean;
}

@View("RateCard", "The terms that providers are paid by: the standard ones, or what was negotiated with one.", {
  implements: [Node],
})
export class RateCardView extends Node {
  @Whole("Counts the standard rate cards, or those of the one that they were negotiated with.") version!: number;
  @Flag("Whether it was negotiated; the standard one is for everybody else.") negotiated!: boolean;
  @Of(() => RateCardState, "How far it is.") state!: RateCardState;
  @Instant("From when it holds, once approved.") effectiveAt!: Date;
  @Exact("What a provider receives of the fixing before any premium, e.g. `0.85`.") baseShare!: string;
  @Of(() => TierReading, "How a tier's premium applies to the month.") tierReading!: TierReading;
  @Of(() => PremiumReading, "What a premium is a percentage of.") premiumReading!: PremiumReading;
  @Exact("Credits redeem at the fixing times this.") redemptionFactor!: string;
  @ListOf(() => PricingTierView, "Its volume tiers.") tiers!: PricingTierView[];
  @Text("Why it was proposed.") reason!: string;
  @Instant("When it was proposed.") proposedAt!: Date;
  @Instant("When somebody else approved it; null while nobody has.", { nullable: true }) approvedAt!: Date | null;
  @Instant("When it was taken back; null while it was not.", { nullable: true }) retiredAt!: Date | null;
}

@View("RevenueLine", "The part of a month that is paid at one tier.")
export class RevenueLineView {
  @Of(() => PricingTierView, "The tier.") tier!: PricingTierView;
  @Exact("GPU-hours paid at it.") gpuHours!: string;
  @Of(() => Money, "What they earn.") amount!: Money;
}

@View(
  "RevenueEstimate",
  "What a month of GPU time would earn a provider at today's fixing, by the rules of settlement.",
)
export class RevenueEstimateView {
  @Of(() => Money, "What the month would earn.") monthlyRevenue!: Money;
  @Of(() => Money, "Monthly revenue per GPU-hour.") effectivePricePerGpuHour!: Money;
  @Of(() => Money, "The spot price of one GPU-hour that the estimate is based on.") spotPricePerGpuHour!: Money;
  @Of(() => PricingTierView, "The tier that the month reaches.") tier!: PricingTierView;
  @ListOf(() => RevenueLineView, "How the sum comes about.") lines!: RevenueLineView[];
  @Of(() => RateCardView, "The terms that it was computed by.") rateCard!: RateCardView;
}

export const FixingConnection = connectionOf<FixingView>("Fixing", () => FixingView);
export const RateCardConnection = connectionOf<RateCardView>("RateCard", () => RateCardView);
