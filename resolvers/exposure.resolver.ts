/** What lenders have at stake: positions, coverage, use of credit, alerts, files; and what credits redeem at. */
import { Arg, Args, Ctx, FieldResolver, ID, Query, Resolver, Root } from "type-graphql";
import { CapitalExportKind, CreditUseBy } from "../schema/enums";
import { Filter } from "../schema/fields";
import { CoverageAlertFilter, CreditUseFilter } from "../schema/inputs/funding.input";
import { PageArgs } from "../schema/page";
import { StartupView } from "../schema/views/accounts.view";
import {
  CapitalExportView,
  CapitalPositionView,
  CoverageAlertConnection,
  CoverageAlertView,
  CoverageView,
  CreditUseView,
  FacilityView,
  RedemptionPriceView,
} from "../schema/views/funding.view";
import type { Context } from "../src/api/context";
import { optionalUuidOf } from "../src/api/node-ids";
import { organisationView } from "../src/api/views/accounts";
import {
  capitalExportView,
  capitalPositionView,
  coverageAlertView,
  coverageView,
  creditUseViews,
  redemptionPriceView,
} from "../src/api/views/exposure";
import { facilityView } from "../src/api/views/funding";
import { connection } from "../src/api/views/page";
import { redemptionPrice } from "../src/funding/redemption";

const PARTNER = "The capital partner; your own organisation when left out, all of them for an operator.";

@Resolver()
export class ExposureResolver {
  @Query(() => CapitalPositionView, {
    description: "What a capital partner has at stake, over all its facilities. For capital partners.",
  })
  async capitalPosition(
    @Arg("capitalPartnerId", () => ID, { nullable: true, description: PARTNER }) capitalPartnerId: string | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const id = optionalUuidOf(capitalPartnerId, "CapitalPartner", "capitalPartnerId");
    return capitalPositionView(await services.funding.exposure.capitalPosition(viewer, id ?? null));
  }

  @Query(() => [CoverageView], {
    description:
      "Coverage of each facility: a capital partner's own. An operator sees all, and before them all together. For capital partners.",
  })
  async coverage(
    @Arg("facilityId", () => ID, { nullable: true, description: "Of this facility alone." }) facilityId: string | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const id = optionalUuidOf(facilityId, "Facility", "facilityId");
    return (await services.funding.exposure.coverages(viewer, id ?? null)).map(coverageView);
  }

  @Query(() => [CreditUseView], {
    description:
      "What credits were spent on, the most first; as of some seconds ago. Providers have no names here. For capital partners.",
  })
  async creditUse(
    @Arg("by", () => CreditUseBy, { description: "By what to tell it apart." }) by: CreditUseBy,
    @Filter(() => CreditUseFilter) filter: CreditUseFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    return creditUseViews(await services.funding.exposure.use(viewer, by, questionOf(filter)));
  }

  @Query(() => CoverageAlertConnection, {
    description: "Times in which coverage was below its floor: of a capital partner's facilities, all for an operator.",
  })
  async coverageAlerts(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => CoverageAlertFilter) filter: CoverageAlertFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const facilityId = optionalUuidOf(filter?.facilityId, "Facility", "facilityId");
    const alerts = await services.funding.exposure.alerts(viewer, page, { ...filter, facilityId });
    return connection(alerts, coverageAlertView);
  }

  @Query(() => CapitalExportView, {
    description: "Drawdowns, lots or use of credit as a CSV file of at most 20,000 rows. For capital partners.",
  })
  async capitalExport(
    @Arg("kind", () => CapitalExportKind, { description: "What it is." }) kind: CapitalExportKind,
    @Filter(() => CreditUseFilter) filter: CreditUseFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    return capitalExportView(kind, await services.funding.exports.make(viewer, kind, questionOf(filter)));
  }

  @Query(() => [RedemptionPriceView], {
    description: "What an hour of each GPU model costs in credits, at the newest fixing of each region. Public.",
  })
  async redemptionPrices(@Ctx() { services }: Context) {
    const [fixings, card] = await Promise.all([services.pricing.latestFixings(), services.pricing.rateCard()]);
    return fixings.map((fixing) => redemptionPriceView(redemptionPrice(fixing, card)));
  }
}

const questionOf = (filter: CreditUseFilter | null) => ({
  ...filter,
  capitalPartnerId: optionalUuidOf(filter?.capitalPartnerId, "CapitalPartner", "capitalPartnerId"),
  facilityId: optionalUuidOf(filter?.facilityId, "Facility", "facilityId"),
});

@Resolver(() => CoverageView)
export class CoverageEdges {
  @FieldResolver(() => FacilityView, { nullable: true, description: "The facility; null: several together." })
  async facility(@Root() { facilityId }: CoverageView, @Ctx() { loaders }: Context) {
    return facilityId === null ? null : facilityView(await loaders.facilityById.load(facilityId));
  }
}

@Resolver(() => CoverageAlertView)
export class CoverageAlertEdges {
  @FieldResolver(() => FacilityView, { nullable: true, description: "The facility; null: all of them together." })
  async facility(@Root() { facilityId }: CoverageAlertView, @Ctx() { loaders }: Context) {
    return facilityId === null ? null : facilityView(await loaders.facilityById.load(facilityId));
  }
}

@Resolver(() => CreditUseView)
export class CreditUseEdges {
  @FieldResolver(() => StartupView, { nullable: true, description: "Who spent it, when told apart by it." })
  async startup(@Root() { startupId }: CreditUseView, @Ctx() { loaders }: Context) {
    return startupId === null ? null : organisationView(await loaders.organisationById.load(startupId));
  }
}
