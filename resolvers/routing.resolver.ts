/** Why requests went where they went. */
import { Args, Ctx, FieldResolver, Query, Resolver, Root } from "type-graphql";
import type { RoutingDecision } from "../entities/routing-decision";
import { Filter } from "../schema/fields";
import { RoutingCandidacyFilter, RoutingDecisionFilter } from "../schema/inputs/routing.input";
import { PageArgs } from "../schema/page";
import { EndpointView } from "../schema/views/catalog.view";
import {
  RoutingCandidacyConnection,
  RoutingCandidateView,
  RoutingDecisionConnection,
} from "../schema/views/routing.view";
import { requireKind } from "../src/accounts/viewer";
import type { Context } from "../src/api/context";
import { optionalUuidOf } from "../src/api/node-ids";
import { endpointView } from "../src/api/views/catalog";
import { connection } from "../src/api/views/page";
import { routingCandidacyView, routingDecisionView } from "../src/api/views/routing";

/** Which endpoints of these decisions the viewer may hear about: one statement for all of them. */
export async function ownEndpoints(
  rows: readonly RoutingDecision[],
  { viewer, loaders }: Context,
): Promise<Set<string>> {
  const ids = new Set(rows.flatMap((row) => row.candidates.map(({ endpointId }) => endpointId)));
  const endpoints = await Promise.all([...ids].map((id) => loaders.endpointById.load(id)));
  const isOwn = (providerId: string) => viewer?.kind === "OPERATOR" || providerId === viewer?.organisationId;
  return new Set(endpoints.filter(({ providerId }) => isOwn(providerId)).map(({ id }) => id));
}

@Resolver()
export class RoutingResolver {
  @Query(() => RoutingDecisionConnection, { description: "Routing decisions: a startup's own, all for an operator." })
  async routingDecisions(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => RoutingDecisionFilter) filter: RoutingDecisionFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    requireKind(viewer, "READ", "STARTUP", "OPERATOR");
    const startupId = optionalUuidOf(filter?.startupId, "Startup", "startupId");
    return connection(await services.routing.decisions(viewer, page, { ...filter, startupId }), routingDecisionView);
  }

  @Query(() => RoutingCandidacyConnection, {
    description: "Decisions in which a provider's endpoints were looked at; all endpoints for an operator.",
  })
  async routingCandidacies(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => RoutingCandidacyFilter) filter: RoutingCandidacyFilter | null,
    @Ctx() context: Context,
  ) {
    requireKind(context.viewer, "READ", "PROVIDER", "OPERATOR");
    const decisions = await context.services.routing.decisions(context.viewer, page, { model: filter?.model ?? null });
    const own = await ownEndpoints(decisions.rows, context);
    return connection(decisions, (row) => routingCandidacyView(row, (id) => own.has(id)));
  }
}

@Resolver(() => RoutingCandidateView)
export class RoutingCandidateEdges {
  @FieldResolver(() => EndpointView, { description: "The endpoint." })
  async endpoint(@Root() { endpointId }: RoutingCandidateView, @Ctx() { loaders }: Context) {
    return endpointView(await loaders.endpointById.load(endpointId));
  }
}
