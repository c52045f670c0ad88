/** Fixings, rate cards and their tiers, the public revenue calculator. */
import { Args, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from "type-graphql";
import { Filter, InputArg } from "../schema/fields";
import {
  FixingFilter,
  RateCardApproveInput,
  RateCardFilter,
  RateCardProposeInput,
  RateCardRetireInput,
  RevenueEstimateInput,
  SpotPricesRecordInput,
} from "../schema/inputs/pricing.input";
import { PageArgs } from "../schema/page";
import { RateCardApprove, RateCardPropose, RateCardRetire, SpotPricesRecord } from "../schema/payloads/pricing.payload";
import { ProviderView } from "../schema/views/accounts.view";
import { AcceleratorView } from "../schema/views/catalog.view";
import {
  FixingConnection,
  FixingView,
  PricingTierView,
  RateCardConnection,
  RateCardView,
  RevenueEstimateView,
} from "../schema/views/pricing.view";
import { owns } from "../src/accounts/viewer";
import type { Context } from "../src/api/context";
import { optionalUuidOf, uuidOf } from "../src/api/node-ids";
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

  @Query(() => RateCardView, { description: "The standard terms in force. Public." })
  async rateCard(@Ctx() { services }: Context) {
    return rateCardView(await services.pricing.rateCard());
  }

  @Query(() => RateCardConnection, {
    description: "Rate cards: a provider's own and the standard ones, all for an operator.",
  })
  async rateCards(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => RateCardFilter) filter: RateCardFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const providerId = optionalUuidOf(filter?.providerId, "Provider", "providerId");
    return connection(await services.pricing.rateCards.page(viewer, page, { ...filter, providerId }), rateCardView);
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
      "What a month of GPU time would earn a provider, for a provider that asks by its own terms; null, with an error, where nothing was fixed. Public.",
  })
  async revenueEstimate(
    @InputArg(() => RevenueEstimateInput) { accelerator, region, monthlyGpuHours }: RevenueEstimateInput,
    @Ctx() { services: { pricing }, viewer }: Context,
  ) {
    const question = { accelerator, region: region ?? null, monthlyGpuHours: BigInt(monthlyGpuHours) };
    return revenueEstimateView(await pricing.revenueEstimate(question, viewer));
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

@Resolver()
export class RateCardsResolver {
  @Mutation(() => RateCardPropose.type, {
    description: "Writes down terms, e.g. for more than 200,000 GPU-hours a month. For operators.",
  })
  rateCardPropose(@InputArg(() => RateCardProposeInput) input: RateCardProposeInput, @Ctx() context: Context) {
    const { services, viewer } = context;
    return answer(RateCardPropose, async () => {
      const { effectiveAt, reason, tierReading, premiumReading, redemptionFactor } = input;
      const card = await services.pricing.rateCards.propose(viewer, {
        providerId: optionalUuidOf(input.providerId, "Provider", "providerId"),
        ...{ effectiveAt, reason, tierReading, premiumReading },
        baseSharePpm: readPpm(input.baseShare, "baseShare"),
        redemptionFactorPpm: redemptionFactor == null ? null : readPpm(redemptionFactor, "redemptionFactor"),
        tiers: input.tiers.map(({ upToGpuHours, premium }, index) => ({
          upToGpuHours: upToGpuHours ?? null,
          premiumPpm: readPpm(premium, ["tiers", String(index), "premium"]),
        })),
      });
      return { rateCard: rateCardView(card) };
    });
  }

  @Mutation(() => RateCardApprove.type, {
    description:
      "Approves terms that somebody else proposed; those that could owe more than was funded are refused. For operators.",
  })
  rateCardApprove(
    @InputArg(() => RateCardApproveInput) input: RateCardApproveInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return answer(RateCardApprove, async () => {
      const id = uuidOf(input.id, "RateCard", "id");
      return { rateCard: rateCardView(await services.pricing.rateCards.approve(viewer, id)) };
    });
  }

  @Mutation(() => RateCardRetire.type, {
    description:
      "Takes terms back: from now on the provider's earlier ones hold, or else the standard ones. For operators.",
  })
  rateCardRetire(
    @InputArg(() => RateCardRetireInput) input: RateCardRetireInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return answer(RateCardRetire, async () => {
      const id = uuidOf(input.id, "RateCard", "id");
      return { rateCard: rateCardView(await services.pricing.rateCards.retire(viewer, id)) };
    });
  }
}

@Resolver(() => ProviderView)
export class ProviderRateCardEdges {
  @FieldResolver(() => RateCardView, {
    nullable: true,
    description: "The terms that it is paid by now; null for anybody but itself and operators.",
  })
  async rateCard(@Root() { organisationId }: ProviderView, @Ctx() { services, viewer }: Context) {
    if (viewer === null || !owns(viewer, organisationId)) return null;
    return rateCardView(await services.pricing.rateCard(undefined, organisationId));
  }
}

@Resolver(() => FixingView)
export class FixingEdges {
  @FieldResolver(() => AcceleratorView, { description: "The GPU that it prices." })
  async accelerator(@Root() { acceleratorCode }: FixingView, @Ctx() { loaders }: Context) {
    return acceleratorView(await loaders.acceleratorByCode.load(acceleratorCode));
  }
}
