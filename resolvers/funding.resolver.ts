/** Facilities, drawdowns, credit lots and what is left of them. */
import type { GraphQLResolveInfo } from "graphql";
import { Arg, Args, Ctx, Extensions, FieldResolver, ID, Info, Mutation, Query, Resolver, Root } from "type-graphql";
import { Filter, InputArg } from "../schema/fields";
import { KEEPS_IDEMPOTENCY_KEYS } from "../schema/idempotent";
import {
  CreditLotFilter,
  DrawdownCreateInput,
  DrawdownFilter,
  FacilityChangeLimitInput,
  FacilityCloseInput,
  FacilityFilter,
  FacilityOpenInput,
} from "../schema/inputs/funding.input";
import { PageArgs } from "../schema/page";
import { DrawdownCreate, FacilityChangeLimit, FacilityClose, FacilityOpen } from "../schema/payloads/funding.payload";
import { Decimal } from "../schema/scalars";
import { CapitalPartnerView, StartupView } from "../schema/views/accounts.view";
import {
  CoverageView,
  CreditBalanceView,
  CreditLotConnection,
  CreditLotView,
  DrawdownConnection,
  DrawdownView,
  FacilityBalanceView,
  FacilityConnection,
  FacilityOutlookView,
  FacilityView,
  ServicingFeeView,
} from "../schema/views/funding.view";
import type { Context } from "../src/api/context";
import { idempotencyKeyOf } from "../src/api/idempotency";
import { optionalUuidOf, uuidOf } from "../src/api/node-ids";
import { answer } from "../src/api/user-errors";
import { organisationView } from "../src/api/views/accounts";
import { coverageView, outlookView, servicingFeeView } from "../src/api/views/exposure";
import {
  costBasisOf,
  creditBalanceView,
  creditLotView,
  drawdownView,
  facilityBalanceView,
  facilityView,
} from "../src/api/views/funding";
import { readNano, readPpm } from "../src/api/views/money";
import { connection } from "../src/api/views/page";
import { startupWithCredit } from "../src/api/whose-credit";
import { outlookOf } from "../src/funding/outlook";

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
    return connection(await services.funding.lots(viewer, page, { ...filter, startupId, facilityId }), creditLotView);
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
        ...readTerms(input),
      });
      return { facility: facilityView(facility) };
    });
  }

  @Mutation(() => FacilityClose.type, {
    description: "Ends drawing on a facility; what was drawn stays as it is. For capital partners.",
  })
  facilityClose(@InputArg(() => FacilityCloseInput) input: FacilityCloseInput, @Ctx() { services, viewer }: Context) {
    return answer(FacilityClose, async () => {
      const id = uuidOf(input.id, "Facility", "id");
      return { facility: facilityView(await services.funding.closeFacility(viewer, id, input.expectedVersion)) };
    });
  }

  @Mutation(() => FacilityChangeLimit.type, { description: "Changes what can be drawn in all. For capital partners." })
  facilityChangeLimit(
    @InputArg(() => FacilityChangeLimitInput) input: FacilityChangeLimitInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return answer(FacilityChangeLimit, async () => {
      const facility = await services.funding.changeLimit(viewer, {
        id: uuidOf(input.id, "Facility", "id"),
        limitNanoUsd: readNano(input.limit, "limit"),
        expectedVersion: input.expectedVersion,
      });
      return { facility: facilityView(facility) };
    });
  }

  @Extensions({ [KEEPS_IDEMPOTENCY_KEYS]: true })
  @Mutation(() => DrawdownCreate.type, {
    description:
      "Draws dollars from a facility and issues credit to a startup; refused with the figures where the credits would not be covered. Needs `@idempotent`. For capital partners.",
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
        ...readConditions(input),
      };
      const { drawdown, lot } = await services.funding.draw(viewer, act, idempotencyKeyOf(info));
      return { drawdown: drawdownView(drawdown), creditLot: creditLotView(lot) };
    });
  }
}

/** What is left out is the door's to say. */
function readTerms({ originationFee, servicingFee, tenorDays, coverageFloor, startupLimit }: FacilityOpenInput) {
  return {
    ...(originationFee == null ? {} : { originationFeePpm: readPpm(originationFee, "originationFee") }),
    ...(servicingFee == null ? {} : { servicingFeePpm: readPpm(servicingFee, "servicingFee") }),
    ...(tenorDays == null ? {} : { tenorDays }),
    ...(coverageFloor == null ? {} : { coverageFloorPpm: readPpm(coverageFloor, "coverageFloor") }),
    ...(startupLimit == null ? {} : { startupLimitPpm: readPpm(startupLimit, "startupLimit") }),
  };
}

function readConditions({ priority, expiresAt, accelerators, workloads }: DrawdownCreateInput) {
  return {
    ...(priority == null ? {} : { priority }),
    ...(expiresAt == null ? {} : { expiresAt }),
    ...(accelerators == null ? {} : { accelerators }),
    ...(workloads == null ? {} : { workloads }),
  };
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

  @FieldResolver(() => CoverageView, { description: "Whether its dollars pay for what its credits may still cost." })
  async coverage(@Root() { facilityId }: FacilityView, @Ctx() { loaders }: Context) {
    return coverageView(await loaders.coverageByFacilityId.load(facilityId));
  }

  @FieldResolver(() => FacilityOutlookView, { description: "How long its credit will last." })
  async outlook(@Root() { facilityId }: FacilityView, @Ctx() { loaders }: Context) {
    const [{ availableNanoCredit }, reading] = await Promise.all([
      loaders.facilityBalanceById.load(facilityId),
      loaders.outlookReadingByFacilityId.load(facilityId),
    ]);
    return outlookView(outlookOf(availableNanoCredit, [reading]));
  }

  @FieldResolver(() => [ServicingFeeView], { description: "What servicing was charged, the newest month first." })
  async servicingFees(@Root() { facilityId }: FacilityView, @Ctx() { loaders }: Context) {
    return (await loaders.servicingFeesByFacilityId.load(facilityId)).map(servicingFeeView);
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

  @FieldResolver(() => Decimal, {
    nullable: true,
    description: "Dollars that stood behind one of its credits when it was issued; null for startups.",
  })
  async costBasis(@Root() { drawdownId, issuedNanoCredit }: CreditLotView, @Ctx() { loaders, viewer }: Context) {
    if (viewer?.kind === "STARTUP") return null;
    return costBasisOf(await loaders.drawdownById.load(drawdownId), issuedNanoCredit);
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
