/** What can be asked of pricing. */
import { PremiumReading, RateCardState, TierReading } from "../enums";
import { Big, Exact, GlobalId, Input, Instant, ListOf, Of, Text, Whole } from "../fields";

@Input("SpotPriceInput", "A spot price that was seen.")
export class SpotPriceInput {
  @Text("Code of the accelerator, e.g. `H100`.") accelerator!: string;
  @Text("Region, e.g. `eu-north`.") region!: string;
  @Text("Where it was seen.") source!: string;
  @Exact("Dollars per GPU-hour, above zero.") price!: string;
  @Exact("How far the source is to be trusted, from `0` to `1`.") confidence!: string;
  @Instant("When it was seen.") observedAt!: Date;
}

@Input("SpotPricesRecordInput", "Spot prices to record.")
export class SpotPricesRecordInput {
  @ListOf(() => SpotPriceInput, "The prices, at least one.") observations!: SpotPriceInput[];
}

@Input("FixingFilter", "Which fixings.")
export class FixingFilter {
  @Text("Of this accelerator.", { nullable: true }) accelerator?: string | null;
  @Text("In this region.", { nullable: true }) region?: string | null;
  @Instant("Of this hour or a later one.", { nullable: true }) from?: Date | null;
  @Instant("Of an hour before this instant.", { nullable: true }) to?: Date | null;
}

@Input("RevenueEstimateInput", "A month of GPU time.")
export class RevenueEstimateInput {
  @Text("Code of the accelerator, e.g. `H100`.") accelerator!: string;
  @Text("Region, e.g. `eu-north`; the mean of all regions when left out.", { nullable: true }) region?: string | null;
  @Whole("GPU-hours sold in the month.") monthlyGpuHours!: number;
}

@Input("PricingTierInput", "A volume tier of a rate card.")
export class PricingTierInput {
  @Big("The last whole GPU-hour of the month in it; left out of the last tier only.", { nullable: true }) upToGpuHours?:
    | bigint
    | null;
  @Exact("What it adds to the base share, e.g. `0.02` for 2 %.") premium!: string;
}

@Input("RateCardProposeInput", "Terms for somebody else to approve.")
export class RateCardProposeInput {
  @GlobalId("The provider that they were negotiated with; left out: the standard terms.", { nullable: true })
  providerId?: string | null;
  @Instant("From when they shall hold; not in the past, and not before they are approved.") effectiveAt!: Date;
  @Text("Why.") reason!: string;
  @Exact("What the provider receives of the fixing before any premium, e.g. `0.85`.") baseShare!: string;
  @Of(() => TierReading, "How a tier's premium applies to the month.") tierReading!: TierReading;
  @Of(() => PremiumReading, "What a premium is a percentage of.") premiumReading!: PremiumReading;
  @Exact("Credits redeem at the fixing times this; as on the standard card when left out.", { nullable: true })
  redemptionFactor?: string | null;
  @ListOf(() => PricingTierInput, "The volume tiers in order, at least one.") tiers!: PricingTierInput[];
}

@Input("RateCardApproveInput", "A rate card to approve.")
export class RateCardApproveInput {
  @GlobalId("The proposal, of somebody else.") id!: string;
}

@Input("RateCardRetireInput", "A rate card, or a proposal, to take back.")
export class RateCardRetireInput {
  @GlobalId("The rate card.") id!: string;
}

@Input("RateCardFilter", "Which rate cards.")
export class RateCardFilter {
  @GlobalId("Negotiated with this provider.", { nullable: true }) providerId?: string | null;
  @Of(() => RateCardState, "So far.", { nullable: true }) state?: RateCardState | null;
}
