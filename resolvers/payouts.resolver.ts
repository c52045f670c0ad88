/** What providers have earned. */
import { Args, Ctx, FieldResolver, Query, Resolver, Root } from "type-graphql";
import { Filter } from "../schema/fields";
import { AccrualFilter } from "../schema/inputs/payouts.input";
import { PageArgs } from "../schema/page";
import { ProviderView } from "../schema/views/accounts.view";
import { AccrualConnection, AccrualView } from "../schema/views/payouts.view";
import type { Context } from "../src/api/context";
import { optionalUuidOf } from "../src/api/node-ids";
import { organisationView } from "../src/api/views/accounts";
import { connection } from "../src/api/views/page";
import { accrualView } from "../src/api/views/payouts";

@Resolver()
export class PayoutsResolver {
  @Query(() => AccrualConnection, { description: "Earnings by month: a provider's own, all for an operator." })
  async accruals(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => AccrualFilter) filter: AccrualFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const providerId = optionalUuidOf(filter?.providerId, "Provider", "providerId");
    return connection(await services.payouts.accruals(viewer, page, { ...filter, providerId }), accrualView);
  }
}

@Resolver(() => AccrualView)
export class AccrualEdges {
  @FieldResolver(() => ProviderView, { description: "Who earned it." })
  async provider(@Root() { providerId }: AccrualView, @Ctx() { loaders }: Context) {
    return organisationView(await loaders.organisationById.load(providerId));
  }
}
