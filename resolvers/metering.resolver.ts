/** Charged requests for the startup, served requests for the provider. */
import { Args, Ctx, FieldResolver, Query, Resolver, Root } from "type-graphql";
import { Filter } from "../schema/fields";
import { DeliveryFilter, UsageFilter } from "../schema/inputs/metering.input";
import { PageArgs } from "../schema/page";
import { AcceleratorView, EndpointView, OfferingView } from "../schema/views/catalog.view";
import {
  DeliveryConnection,
  DeliveryView,
  ReceiptView,
  UsageConnection,
  UsageView,
} from "../schema/views/metering.view";
import { FixingView } from "../schema/views/pricing.view";
import type { Context } from "../src/api/context";
import { optionalUuidOf } from "../src/api/node-ids";
import { acceleratorView, endpointView, offeringView } from "../src/api/views/catalog";
import { deliveryView, usageView } from "../src/api/views/metering";
import { connection } from "../src/api/views/page";
import { fixingView } from "../src/api/views/pricing";

@Resolver()
export class MeteringResolver {
  @Query(() => UsageConnection, { description: "Charged requests: a startup's own, all for an operator." })
  async usage(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => UsageFilter) filter: UsageFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const startupId = optionalUuidOf(filter?.startupId, "Startup", "startupId");
    return connection(await services.metering.usage(viewer, page, { ...filter, startupId }), usageView);
  }

  @Query(() => DeliveryConnection, { description: "Served requests: a provider's own, all for an operator." })
  async deliveries(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => DeliveryFilter) filter: DeliveryFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const providerId = optionalUuidOf(filter?.providerId, "Provider", "providerId");
    const endpointId = optionalUuidOf(filter?.endpointId, "Endpoint", "endpointId");
    const deliveries = await services.metering.deliveries(viewer, page, { ...filter, providerId, endpointId });
    return connection(deliveries, deliveryView);
  }
}

@Resolver(() => UsageView)
export class UsageEdges {
  @FieldResolver(() => AcceleratorView, { description: "The kind of GPU that it ran on." })
  async accelerator(@Root() { acceleratorCode }: UsageView, @Ctx() { loaders }: Context) {
    return acceleratorView(await loaders.acceleratorByCode.load(acceleratorCode));
  }

  @FieldResolver(() => ReceiptView, { description: "What was charged, signed by us; it names nobody who served it." })
  async receipt(@Root() { requestId }: UsageView, @Ctx() { loaders }: Context): Promise<ReceiptView> {
    return loaders.usageReceiptById.load(requestId);
  }
}

@Resolver(() => DeliveryView)
export class DeliveryEdges {
  @FieldResolver(() => EndpointView, { description: "The endpoint that served it." })
  async endpoint(@Root() { endpointId }: DeliveryView, @Ctx() { loaders }: Context) {
    return endpointView(await loaders.endpointById.load(endpointId));
  }

  @FieldResolver(() => OfferingView, { description: "The offering that served it." })
  async offering(@Root() { offeringId }: DeliveryView, @Ctx() { loaders }: Context) {
    return offeringView(await loaders.offeringById.load(offeringId));
  }

  @FieldResolver(() => FixingView, { description: "The fixing that it was priced by." })
  async fixing(@Root() { fixingId }: DeliveryView, @Ctx() { loaders }: Context) {
    return fixingView(await loaders.fixingById.load(fixingId));
  }

  @FieldResolver(() => ReceiptView, {
    description: "What was earned, signed by us; it names nobody whose request it was.",
  })
  async receipt(@Root() { requestId }: DeliveryView, @Ctx() { loaders }: Context): Promise<ReceiptView> {
    return loaders.deliveryReceiptById.load(requestId);
  }
}
