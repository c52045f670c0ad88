/** Service levels and their breaches. */
import { Args, Ctx, FieldResolver, Query, Resolver, Root } from "type-graphql";
import { Filter } from "../schema/fields";
import { SlaBreachFilter } from "../schema/inputs/sla.input";
import { PageArgs } from "../schema/page";
import { EndpointView } from "../schema/views/catalog.view";
import { SlaBreachConnection, SlaBreachView, SlaTierView } from "../schema/views/sla.view";
import type { Context } from "../src/api/context";
import { optionalUuidOf } from "../src/api/node-ids";
import { endpointView } from "../src/api/views/catalog";
import { connection } from "../src/api/views/page";
import { slaBreachView, slaTierView } from "../src/api/views/sla";

@Resolver()
export class SlaResolver {
  @Query(() => [SlaTierView], { description: "The service levels, from the lowest. Public." })
  async slaTiers(@Ctx() { services }: Context) {
    return (await services.sla.tiers()).map(slaTierView);
  }

  @Query(() => SlaBreachConnection, { description: "Breaches: those of a provider's endpoints, all for an operator." })
  async slaBreaches(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => SlaBreachFilter) filter: SlaBreachFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const providerId = optionalUuidOf(filter?.providerId, "Provider", "providerId");
    const endpointId = optionalUuidOf(filter?.endpointId, "Endpoint", "endpointId");
    return connection(await services.sla.breaches(viewer, page, { ...filter, providerId, endpointId }), slaBreachView);
  }
}

@Resolver(() => SlaBreachView)
export class SlaBreachEdges {
  @FieldResolver(() => EndpointView, { description: "The endpoint that broke it." })
  async endpoint(@Root() { endpointId }: SlaBreachView, @Ctx() { loaders }: Context) {
    return endpointView(await loaders.endpointById.load(endpointId));
  }

  @FieldResolver(() => SlaTierView, { description: "The service level that was promised." })
  async slaTier(@Root() { slaTierCode }: SlaBreachView, @Ctx() { loaders }: Context) {
    return slaTierView(await loaders.slaTierByCode.load(slaTierCode));
  }
}
