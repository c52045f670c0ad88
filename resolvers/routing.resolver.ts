/** Why requests went where they went. */
import { Arg, Args, Ctx, FieldResolver, Query, Resolver, Root } from "type-graphql";
import type { RoutingDecision } from "../entities/routing-decision";
import { Filter } from "../schema/fields";
import {
  RoutingCandidacyFilter,
  RoutingDecisionFilter,
  RoutingDecisionSelector,
  RoutingLossFilter,
} from "../schema/inputs/routing.input";
import { PageArgs } from "../schema/page";
import { EndpointView } from "../schema/views/catalog.view";
import {
  RouteExplanationView,
  RoutingCandidacyConnection,
  RoutingCandidateView,
  RoutingDecisionConnection,
  RoutingDecisionView,
  RoutingLossView,
} from "../schema/views/routing.view";
import { requireKind } from "../src/accounts/viewer";
import type { Context } from "../src/api/context";
import { optionalUuidOf, pageOfOne, uuidOf } from "../src/api/node-ids";
import { endpointView } from "../src/api/views/catalog";
import { type Reader, routeExplanationView, routingLossView } from "../src/api/views/explanation";
import { connection } from "../src/api/views/page";
import { routingCandidacyView, routingDecisionView } from "../src/api/views/routing";
import { isId } from "../src/platform/ids";

/** Which endpoints of these decisions the viewer may hear about: one statement for all of them. */
export async function ownEndpoints(
  rows: readonly RoutingDecision[],
  { viewer, services, loaders }: Context,
): Promise<Set<string>> {
  const ids = new Set(rows.flatMap((row) => row.candidates.map(({ endpointId }) => endpointId)));
  const isOwn = (providerId: string) => viewer?.kind === "OPERATOR" || providerId === viewer?.organisationId;
  // Not by the loader: others' endpoints are not there for a provider, which is no fault.
  const own = (await services.catalog.endpointsByIds([...ids])).filter(({ providerId }) => isOwn(providerId));
  for (const endpoint of own) loaders.endpointById.prime(endpoint.id, endpoint);
  return new Set(own.map(({ id }) => id));
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

  @Query(() => RoutingDecisionView, {
    nullable: true,
    description: "How one request was routed; null when there is no such request, or none that you may see.",
  })
  async routingDecision(
    @Arg("by", () => RoutingDecisionSelector, { description: "Which." }) { id, requestId }: RoutingDecisionSelector,
    @Ctx() { services, viewer }: Context,
  ) {
    requireKind(viewer, "READ", "STARTUP", "OPERATOR");
    const key = id == null ? requestId : uuidOf(id, "RoutingDecision", "id");
    if (key == null || !isId(key)) return null;
    const { rows } = await services.routing.decisions(viewer, pageOfOne(key), {});
    return rows.map(routingDecisionView)[0] ?? null;
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
    const decisions = await context.services.routing.decisions(context.viewer, page, { ...filter });
    const own = await ownEndpoints(decisions.rows, context);
    return connection(decisions, (row) => routingCandidacyView(row, (id) => own.has(id)));
  }

  @Query(() => RouteExplanationView, {
    nullable: true,
    description:
      "Why a request went where it went, or did not come to you, in words; null when there is no such request, or none that is your business.",
  })
  async explainRoute(
    @Arg("requestId", () => String, {
      description: "The request's id, as its response carried it in `x-request-id`, or as an endpoint received it.",
    })
    requestId: string,
    @Ctx() context: Context,
  ): Promise<RouteExplanationView | null> {
    const { organisationId, kind } = requireKind(context.viewer, "READ", "STARTUP", "PROVIDER", "OPERATOR");
    if (!isId(requestId)) return null;
    const { rows } = await context.services.routing.decisions(context.viewer, pageOfOne(requestId), {});
    const [row] = rows;
    if (row === undefined) return null;
    const own = kind === "STARTUP" ? null : await ownEndpoints(rows, context);
    const reader: Reader = { organisationId, ownEndpoints: own, mayName: own !== null };
    return routeExplanationView(row, reader);
  }

  @Query(() => [RoutingLossView], {
    description:
      "What others served although a provider's endpoints were looked at, by reason, the largest part first: its own, or that of the provider which an operator names.",
  })
  async routingLosses(
    @Filter(() => RoutingLossFilter) filter: RoutingLossFilter | null,
    @Ctx() { services, viewer }: Context,
  ): Promise<RoutingLossView[]> {
    const providerId = optionalUuidOf(filter?.providerId, "Provider", "providerId");
    return (await services.routing.losses(viewer, { ...filter, providerId })).map(routingLossView);
  }
}

@Resolver(() => RoutingCandidateView)
export class RoutingCandidateEdges {
  @FieldResolver(() => EndpointView, { description: "The endpoint." })
  async endpoint(@Root() { endpointId }: RoutingCandidateView, @Ctx() { loaders }: Context) {
    return endpointView(await loaders.endpointById.load(endpointId));
  }
}
