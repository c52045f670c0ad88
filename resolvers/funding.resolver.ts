/** Facilities, drawdowns, credit lots and what is left of them. */
import type { GraphQLResolveInfo } from "graphql";
import { Arg, Args, Ctx, Extensions, FieldResolver, ID, Info, Mutation, Query, Resolver, Root } from "type-graphql";
import { Filter, InputArg } from "../schema/fields";
import { KEEPS_IDEMPOTENCY_KEYS } from "../schema/idempotent";
import {
  CreditLotFilter,
  DrawdownCreateInput,
  DrawdownFilter,
  FacilityFilter,
  FacilityOpenInput,
} from "../schema/inputs/funding.input";
import { PageArgs } from "../schema/page";
import { DrawdownCreate, FacilityOpen } from "../schema/payloads/funding.payload";
import { CapitalPartnerView, StartupView } from "../schema/views/accounts.view";
import {
  CreditBalanceView,
  CreditLotConnection,
  CreditLotView,
  DrawdownConnection,
  DrawdownView,
  FacilityBalanceView,
  FacilityConnection,
  FacilityView,
} from "../schema/views/funding.view";
import type { Context } from "../src/api/context";
import { idempotencyKeyOf } from "../src/api/idempotency";
import { optionalUuidOf, uuidOf } from "../src/api/node-ids";
import { answer } from "../src/api/user-errors";
import { organisationView } from "../src/api/views/accounts";
import {
  creditBalanceView,
  creditLotView,
  drawdownView,
  facilityBalanceView,
  facilityView,
} from "../src/api/views/funding";
import { readNano, readPpm } from "../src/api/views/money";
import { connection } from "../src/api/views/page";
import { startupWithCredit } from "../src/api/whose-credit";

@Resolver()
export class FundingResolver {
  @Query(() => FacilityConnection, { description: "Facilities: a capital partner's own, all for an operator." })
  async facilities(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => FacilityFilter) filter: FacilityFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const capitalPartnerId = optionalUuidOf(filter?.capitalPartnerId, "CapitalPartner", "capitalPartnerId");
    return connection(await services.funding.facilities(viewer, page, { capitalPartnerId }), facilityView);
  }

  @Query(() => CreditLotConnection, {
    description: "Credit lots: a startup's own, those of a capital partner's facilities, all for an operator.",
  })
  async creditLots(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => CreditLotFilter) filter: CreditLotFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const startupId = optionalUuidOf(filter?.startupId, "Startup", "startupId");
    const facilityId = optionalUuidOf(filter?.facilityId, "Facility", "facilityId");
    return connection(await services.funding.lots(viewer, page, { startupId, facilityId }), creditLotView);
  }

  @Query(() => DrawdownConnection, {
    description: "Drawdowns: from a capital partner's facilities, all for an operator.",
  })
  async drawdowns(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => DrawdownFilter) filter: DrawdownFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const startupId = optionalUuidOf(filter?.startupId, "Startup", "startupId");
    const facilityId = optionalUuidOf(filter?.facilityId, "Facility", "facilityId");
    return connection(
      await services.funding.drawdowns(viewer, page, { ...filter, startupId, facilityId }),
      drawdownView,
    );
  }

  @Query(() => CreditBalanceView, { description: "A startup's credit: its own; an operator names the startup." })
  async creditBalance(
    @Arg("startupId", () => ID, { nullable: true, description: "The startup; your own organisation when left out." })
    startupId: string | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const id = startupWithCredit(viewer, optionalUuidOf(startupId, "Startup", "startupId"));
    return creditBalanceView(await services.ledger.balance(id));
  }

  @Mutation(() => FacilityOpen.type, { description: "Opens a facility. For capital partners." })
  facilityOpen(@InputArg(() => FacilityOpenInput) input: FacilityOpenInput, @Ctx() { services, viewer }: Context) {
    return answer(FacilityOpen, async () => {
      const facility = await services.funding.openFacility(viewer, {
        capitalPartnerId: optionalUuidOf(input.capitalPartnerId, "CapitalPartner", "capitalPartnerId"),
        name: input.name,
        limitNanoUsd: readNano(input.limit, "limit"),
        multiplierPpm: readPpm(input.multiplier, "multiplier"),
      });
      return { facility: facilityView(facility) };
    });
  }

  @Extensions({ [KEEPS_IDEMPOTENCY_KEYS]: true })
  @Mutation(() => DrawdownCreate.type, {
    description:
      "Draws dollars from a facility and issues credit to a startup. Needs `@idempotent`. For capital partners.",
  })
  drawdownCreate(
    @InputArg(() => DrawdownCreateInput) input: DrawdownCreateInput,
    @Ctx() { services, viewer }: Context,
    @Info() info: GraphQLResolveInfo,
  ) {
    return answer(DrawdownCreate, async () => {
      const act = {
        facilityId: uuidOf(input.facilityId, "Facility", "facilityId"),
        startupId: uuidOf(input.startupId, "Startup", "startupId"),
        amountNanoUsd: readNano(input.amount, "amount"),
      };
      const { drawdown, lot } = await services.funding.draw(viewer, act, idempotencyKeyOf(info));
      return { drawdown: drawdownView(drawdown), creditLot: creditLotView(lot) };
    });
  }
}

@Resolver(() => FacilityView)
export class FacilityEdges {
  @FieldResolver(() => CapitalPartnerView, { description: "Whose money it is." })
  async capitalPartner(@Root() { capitalPartnerId }: FacilityView, @Ctx() { loaders }: Context) {
    return organisationView(await loaders.organisationById.load(capitalPartnerId));
  }

  @FieldResolver(() => FacilityBalanceView, { description: "Where its dollars and credits are." })
  async balance(@Root() { facilityId }: FacilityView, @Ctx() { loaders }: Context) {
    return facilityBalanceView(await loaders.facilityBalanceById.load(facilityId));
  }
}

@Resolver(() => CreditLotView)
export class CreditLotEdges {
  @FieldResolver(() => StartupView, { description: "Whose credit it is." })
  async startup(@Root() { startupId }: CreditLotView, @Ctx() { loaders }: Context) {
    return organisationView(await loaders.organisationById.load(startupId));
  }

  @FieldResolver(() => FacilityView, {
    nullable: true,
    description: "The facility that it was drawn from; null for startups, whose business its limit is not.",
  })
  async facility(@Root() { facilityId }: CreditLotView, @Ctx() { loaders, viewer }: Context) {
    return viewer?.kind === "STARTUP" ? null : facilityView(await loaders.facilityById.load(facilityId));
  }

  @FieldResolver(() => CreditBalanceView, { description: "What is left of it." })
  async balance(@Root() { accountId }: CreditLotView, @Ctx() { loaders }: Context) {
    return creditBalanceView(await loaders.lotBalanceByAccountId.load(accountId));
  }
}

@Resolver(() => DrawdownView)
export class DrawdownEdges {
  @FieldResolver(() => FacilityView, { description: "The facility that was drawn on." })
  async facility(@Root() { facilityId }: DrawdownView, @Ctx() { loaders }: Context) {
    return facilityView(await loaders.facilityById.load(facilityId));
  }

  @FieldResolver(() => StartupView, { description: "The startup that it was drawn for." })
  async startup(@Root() { startupId }: DrawdownView, @Ctx() { loaders }: Context) {
    return organisationView(await loaders.organisationById.load(startupId));
  }
}
