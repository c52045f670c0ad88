/** Fixings, the rate card and its tiers, the public revenue calculator. */
import { Args, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from "type-graphql";
import { Filter, InputArg } from "../schema/fields";
import { FixingFilter, RevenueEstimateInput, SpotPricesRecordInput } from "../schema/inputs/pricing.input";
import { PageArgs } from "../schema/page";
import { SpotPricesRecord } from "../schema/payloads/pricing.payload";
import { AcceleratorView } from "../schema/views/catalog.view";
import {
  FixingConnection,
  FixingView,
  PricingTierView,
  RateCardView,
  RevenueEstimateView,
} from "../schema/views/pricing.view";
import type { Context } from "../src/api/context";
import { answer } from "../src/api/user-errors";
import { acceleratorView } from "../src/api/views/catalog";
import { readNano, readPpm } from "../src/api/views/money";
import { connection } from "../src/api/views/page";
import { fixingView, pricingTierView, rateCardView, revenueEstimateView } from "../src/api/views/pricing";

@Resolver()
export class PricingResolver {
  @Query(() => [PricingTierView], { description: "The volume tiers of the rate card in force. Public." })
  async pricingTiers(@Ctx() { services }: Context) {
    const card = await services.pricing.rateCard();
    return card.tiers.map((tier) => pricingTierView(card, tier));
  }

  @Query(() => RateCardView, { description: "The terms in force. Public." })
  async rateCard(@Ctx() { services }: Context) {
    return rateCardView(await services.pricing.rateCard());
  }

  @Query(() => FixingConnection, { description: "Hourly spot references." })
  async fixings(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => FixingFilter) filter: FixingFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    return connection(await services.pricing.fixings(viewer, page, { ...filter }), fixingView);
  }

  @Query(() => RevenueEstimateView, {
    // Nothing was fixed yet: that must not take the rest of a public page's figures with it.
    nullable: true,
    description:
      "What a month of GPU time would earn a provider; null, with an error, where nothing was fixed. Public.",
  })
  async revenueEstimate(
    @InputArg(() => RevenueEstimateInput) { accelerator, region, monthlyGpuHours }: RevenueEstimateInput,
    @Ctx() { services: { pricing } }: Context,
  ) {
    const question = { accelerator, region: region ?? null, monthlyGpuHours: BigInt(monthlyGpuHours) };
    const [estimate, card] = await Promise.all([pricing.revenueEstimate(question), pricing.rateCard()]);
    return revenueEstimateView(estimate, card);
  }

  @Mutation(() => SpotPricesRecord.type, {
    description: "Records spot prices and fixes this hour's price where there is none. For operators.",
  })
  spotPricesRecord(
    @InputArg(() => SpotPricesRecordInput) input: SpotPricesRecordInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return answer(SpotPricesRecord, async () => {
      const observations = input.observations.map(({ price, confidence, ...seen }, index) => ({
        ...seen,
        priceNanoUsd: readNano(price, ["observations", String(index), "price"]),
        confidencePpm: readPpm(confidence, ["observations", String(index), "confidence"]),
      }));
      return { fixings: (await services.pricing.recordSpotPrices(viewer, observations)).map(fixingView) };
    });
  }
}

@Resolver(() => FixingView)
export class FixingEdges {
  @FieldResolver(() => AcceleratorView, { description: "The GPU that it prices." })
  async accelerator(@Root() { acceleratorCode }: FixingView, @Ctx() { loaders }: Context) {
    return acceleratorView(await loaders.acceleratorByCode.load(acceleratorCode));
  }
}
