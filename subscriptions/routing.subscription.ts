/** What endpoints are doing, live. */
import { Arg, Ctx, FieldResolver, ID, Resolver, Root, Subscription } from "type-graphql";
import { Duration } from "../schema/scalars";
import { EndpointView } from "../schema/views/catalog.view";
import { UtilizationSampleView } from "../schema/views/utilization.view";
import { organisationScope, requireKind } from "../src/accounts/viewer";
import type { Context } from "../src/api/context";
import { optionalUuidOf, pageOfOne } from "../src/api/node-ids";
import { latest } from "../src/api/streams/stream";
import { endpointView } from "../src/api/views/catalog";
import { utilizationView } from "../src/api/views/utilization";
import type { UtilizationSample } from "../src/events/topics";
import { DomainError, notFound } from "../src/platform/errors";

const MIN_INTERVAL_MS_MAX = 3_600_000;

interface UtilizationArgs {
  endpointId?: string | null;
  providerId?: string | null;
  minInterval?: number | null;
}

async function utilizationStream(args: UtilizationArgs, { viewer, services }: Context) {
  const known = requireKind(viewer, "READ", "PROVIDER", "OPERATOR");
  const providerId = organisationScope(known, "READ", optionalUuidOf(args.providerId, "Provider", "providerId"));
  const endpointId = optionalUuidOf(args.endpointId, "Endpoint", "endpointId");
  if (endpointId !== null) {
    const { rows } = await services.catalog.endpoints(viewer, pageOfOne(endpointId), { providerId });
    if (rows.length === 0) throw notFound("endpoint", "endpointId");
  }
  const wanted = (sample: UtilizationSample) =>
    (providerId === null || sample.providerId === providerId) &&
    (endpointId === null || sample.endpointId === endpointId);
  const pauseMs = args.minInterval ?? 0;
  if (pauseMs < 0 || pauseMs > MIN_INTERVAL_MS_MAX) {
    throw new DomainError("BAD_USER_INPUT", "minInterval: must be PT0S to PT1H", { field: "minInterval" });
  }
  return latest<UtilizationSample>({
    ...(pauseMs > 0 ? { pauseMs } : {}),
    keyOf: (sample) => sample.endpointId,
    listen: (tell) => services.bus.on("utilization.sampled", (sample) => wanted(sample) && tell(sample)),
  });
}

@Resolver()
export class RoutingSubscription {
  @Subscription(() => UtilizationSampleView, {
    description:
      "Live figures per endpoint, one sample a second: a provider's own, all for an operator. A slow reader gets the newest of each endpoint.",
    subscribe: ({ args, context }: { args: UtilizationArgs; context: Context }) => utilizationStream(args, context),
  })
  utilization(
    @Root() sample: UtilizationSample,
    @Arg("endpointId", () => ID, { nullable: true, description: "Only this endpoint." }) _endpointId: string | null,
    @Arg("providerId", () => ID, { nullable: true, description: "Only this provider's endpoints." })
    _providerId: string | null,
    @Arg("minInterval", () => Duration, {
      nullable: true,
      description: "Tell at most so often, e.g. `PT10S`: then the newest sample of each endpoint.",
    })
    _minInterval: number | null,
  ): UtilizationSampleView {
    return utilizationView(sample);
  }
}

@Resolver(() => UtilizationSampleView)
export class UtilizationSampleEdges {
  @FieldResolver(() => EndpointView, { description: "The endpoint." })
  async endpoint(@Root() { endpointId }: UtilizationSampleView, @Ctx() { loaders }: Context) {
    return endpointView(await loaders.endpointById.load(endpointId));
  }
}
