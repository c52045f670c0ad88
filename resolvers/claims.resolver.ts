/** What was served and never charged, and what was claimed beyond what can be. */
import type { GraphQLResolveInfo } from "graphql";
import { Arg, Args, Ctx, Extensions, FieldResolver, Info, Mutation, Query, Resolver, Root } from "type-graphql";
import { Filter, InputArg } from "../schema/fields";
import { KEEPS_IDEMPOTENCY_KEYS } from "../schema/idempotent";
import { ClaimDecideInput, ClaimFilter, ClaimSubmitInput, FlaggedUsageFilter } from "../schema/inputs/claims.input";
import { PageArgs } from "../schema/page";
import { ClaimDecide, ClaimSubmit } from "../schema/payloads/claims.payload";
import { YearMonth } from "../schema/scalars";
import { ProviderView } from "../schema/views/accounts.view";
import { EndpointView } from "../schema/views/catalog.view";
import {
  ClaimConnection,
  ClaimView,
  FlaggedUsageConnection,
  FlaggedUsageCountView,
  FlaggedUsageView,
} from "../schema/views/claims.view";
import type { Context } from "../src/api/context";
import { idempotencyKeyOf } from "../src/api/idempotency";
import { optionalUuidOf, uuidOf } from "../src/api/node-ids";
import { answer } from "../src/api/user-errors";
import { organisationView } from "../src/api/views/accounts";
import { endpointView } from "../src/api/views/catalog";
import { claimView, flaggedUsageCountView, flaggedUsageView } from "../src/api/views/claims";
import { connection } from "../src/api/views/page";

@Resolver()
export class ClaimsResolver {
  @Query(() => ClaimConnection, { description: "Claims: a provider's own, all for an operator." })
  async claims(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => ClaimFilter) filter: ClaimFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const asked = {
      providerId: optionalUuidOf(filter?.providerId, "Provider", "providerId"),
      endpointId: optionalUuidOf(filter?.endpointId, "Endpoint", "endpointId"),
      state: filter?.state,
    };
    return connection(await services.claims.page(viewer, page, asked), claimView);
  }

  @Query(() => FlaggedUsageConnection, {
    description: "Charged requests whose provider reported figures that cannot be, or none. For operators.",
  })
  async flaggedUsage(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => FlaggedUsageFilter) filter: FlaggedUsageFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const asked = {
      providerId: optionalUuidOf(filter?.providerId, "Provider", "providerId"),
      endpointId: optionalUuidOf(filter?.endpointId, "Endpoint", "endpointId"),
      period: filter?.period,
      inflated: filter?.inflated,
    };
    return connection(await services.flaggedUsage.page(viewer, page, asked), flaggedUsageView);
  }

  @Query(() => [FlaggedUsageCountView], {
    description: "How often each provider's figures were not taken in a month; who claims most first. For operators.",
  })
  async flaggedUsageCounts(
    @Arg("period", () => YearMonth, {
      nullable: true,
      description: "The billing month; the running one when left out.",
    })
    period: string | null,
    @Ctx() { services, viewer }: Context,
  ) {
    return (await services.flaggedUsage.counts(viewer, period)).map(flaggedUsageCountView);
  }

  @Extensions({ [KEEPS_IDEMPOTENCY_KEYS]: true })
  @Mutation(() => ClaimSubmit.type, {
    description:
      "Claims an attempt that was served and never charged; the relay's own token is the evidence. Needs `@idempotent`. For providers.",
  })
  claimSubmit(
    @InputArg(() => ClaimSubmitInput) input: ClaimSubmitInput,
    @Ctx() { services, viewer }: Context,
    @Info() info: GraphQLResolveInfo,
  ) {
    return answer(ClaimSubmit, async () => {
      const claim = { ...input, offeringId: uuidOf(input.offeringId, "Offering", "offeringId") };
      return { claim: claimView(await services.claims.submit(viewer, claim, idempotencyKeyOf(info))) };
    });
  }

  @Extensions({ [KEEPS_IDEMPOTENCY_KEYS]: true })
  @Mutation(() => ClaimDecide.type, { description: "Pays a claim or rejects it. Needs `@idempotent`. For operators." })
  claimDecide(
    @InputArg(() => ClaimDecideInput) input: ClaimDecideInput,
    @Ctx() { services, viewer }: Context,
    @Info() info: GraphQLResolveInfo,
  ) {
    return answer(ClaimDecide, async () => {
      const decision = { id: uuidOf(input.id, "Claim", "id"), pays: input.pay, reason: input.reason };
      return { claim: claimView(await services.claims.decide(viewer, decision, idempotencyKeyOf(info))) };
    });
  }
}

@Resolver(() => ClaimView)
export class ClaimEdges {
  @FieldResolver(() => ProviderView, { description: "Who claims." })
  async provider(@Root() { providerId }: ClaimView, @Ctx() { loaders }: Context) {
    return organisationView(await loaders.organisationById.load(providerId));
  }

  @FieldResolver(() => EndpointView, { description: "Where it was served." })
  async endpoint(@Root() { endpointId }: ClaimView, @Ctx() { loaders }: Context) {
    return endpointView(await loaders.endpointById.load(endpointId));
  }
}

@Resolver(() => FlaggedUsageView)
export class FlaggedUsageEdges {
  @FieldResolver(() => ProviderView, { description: "Whose figures they were." })
  async provider(@Root() { providerId }: FlaggedUsageView, @Ctx() { loaders }: Context) {
    return organisationView(await loaders.organisationById.load(providerId));
  }

  @FieldResolver(() => EndpointView, { description: "Where it was served." })
  async endpoint(@Root() { endpointId }: FlaggedUsageView, @Ctx() { loaders }: Context) {
    return endpointView(await loaders.endpointById.load(endpointId));
  }
}

@Resolver(() => FlaggedUsageCountView)
export class FlaggedUsageCountEdges {
  @FieldResolver(() => ProviderView, { description: "Whose figures they were." })
  async provider(@Root() { providerId }: FlaggedUsageCountView, @Ctx() { loaders }: Context) {
    return organisationView(await loaders.organisationById.load(providerId));
  }
}
