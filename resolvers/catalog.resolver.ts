/** Accelerators, endpoints and the models offered at them. */
import { Args, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from "type-graphql";
import { Filter, InputArg } from "../schema/fields";
import {
  EndpointFilter,
  EndpointMoveInput,
  EndpointRegisterInput,
  OfferingFilter,
  OfferingMoveInput,
  OfferingPublishInput,
} from "../schema/inputs/catalog.input";
import { PageArgs } from "../schema/page";
import { EndpointMove, EndpointRegister, OfferingMove, OfferingPublish } from "../schema/payloads/catalog.payload";
import { ProviderView } from "../schema/views/accounts.view";
import {
  AcceleratorView,
  EndpointConnection,
  EndpointView,
  OfferingConnection,
  OfferingView,
} from "../schema/views/catalog.view";
import { SlaTierView } from "../schema/views/sla.view";
import type { Context } from "../src/api/context";
import { optionalUuidOf, uuidOf } from "../src/api/node-ids";
import { answer } from "../src/api/user-errors";
import { organisationView } from "../src/api/views/accounts";
import { acceleratorView, endpointView, offeringView } from "../src/api/views/catalog";
import { connection } from "../src/api/views/page";
import { slaTierView } from "../src/api/views/sla";

@Resolver()
export class CatalogResolver {
  @Query(() => [AcceleratorView], { description: "The GPU models that the marketplace knows. Public." })
  async accelerators(@Ctx() { services }: Context) {
    return (await services.catalog.accelerators()).map(acceleratorView);
  }

  @Query(() => EndpointConnection, { description: "Endpoints: a provider's own, all for an operator." })
  async endpoints(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => EndpointFilter) filter: EndpointFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const providerId = optionalUuidOf(filter?.providerId, "Provider", "providerId");
    return connection(await services.catalog.endpoints(viewer, page, { ...filter, providerId }), endpointView);
  }

  @Query(() => OfferingConnection, { description: "Offerings: a provider's own, all for an operator." })
  async offerings(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => OfferingFilter) filter: OfferingFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const providerId = optionalUuidOf(filter?.providerId, "Provider", "providerId");
    const endpointId = optionalUuidOf(filter?.endpointId, "Endpoint", "endpointId");
    const offerings = await services.catalog.offerings(viewer, page, { ...filter, providerId, endpointId });
    return connection(offerings, offeringView);
  }

  @Mutation(() => EndpointRegister.type, {
    description: "Registers an endpoint; the operator sets it live. For providers.",
  })
  endpointRegister(
    @InputArg(() => EndpointRegisterInput) input: EndpointRegisterInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return answer(EndpointRegister, async () => {
      const providerId = optionalUuidOf(input.providerId, "Provider", "providerId");
      return { endpoint: endpointView(await services.catalog.registerEndpoint(viewer, { ...input, providerId })) };
    });
  }

  @Mutation(() => EndpointMove.type, { description: "Takes an endpoint to another state." })
  endpointMove(@InputArg(() => EndpointMoveInput) input: EndpointMoveInput, @Ctx() { services, viewer }: Context) {
    return answer(EndpointMove, async () => {
      const id = uuidOf(input.id, "Endpoint", "id");
      return {
        endpoint: endpointView(await services.catalog.moveEndpoint(viewer, id, input.to, input.expectedVersion)),
      };
    });
  }

  @Mutation(() => OfferingPublish.type, {
    description: "Declares a model at an endpoint; the operator sets it live. For providers.",
  })
  offeringPublish(
    @InputArg(() => OfferingPublishInput) input: OfferingPublishInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return answer(OfferingPublish, async () => {
      const endpointId = uuidOf(input.endpointId, "Endpoint", "endpointId");
      return { offering: offeringView(await services.catalog.publishOffering(viewer, { ...input, endpointId })) };
    });
  }

  @Mutation(() => OfferingMove.type, { description: "Takes an offering to another state." })
  offeringMove(@InputArg(() => OfferingMoveInput) input: OfferingMoveInput, @Ctx() { services, viewer }: Context) {
    return answer(OfferingMove, async () => {
      const id = uuidOf(input.id, "Offering", "id");
      return {
        offering: offeringView(await services.catalog.moveOffering(viewer, id, input.to, input.expectedVersion)),
      };
    });
  }
}

@Resolver(() => EndpointView)
export class EndpointEdges {
  @FieldResolver(() => ProviderView, { description: "Whose it is." })
  async provider(@Root() { providerId }: EndpointView, @Ctx() { loaders }: Context) {
    return organisationView(await loaders.organisationById.load(providerId));
  }

  @FieldResolver(() => AcceleratorView, { description: "Its GPUs." })
  async accelerator(@Root() { acceleratorCode }: EndpointView, @Ctx() { loaders }: Context) {
    return acceleratorView(await loaders.acceleratorByCode.load(acceleratorCode));
  }

  @FieldResolver(() => SlaTierView, { description: "The service level that its provider commits it to." })
  async slaTier(@Root() { slaTierCode }: EndpointView, @Ctx() { loaders }: Context) {
    return slaTierView(await loaders.slaTierByCode.load(slaTierCode));
  }

  @FieldResolver(() => [OfferingView], { description: "The models offered at it." })
  async offerings(@Root() { endpointId }: EndpointView, @Ctx() { loaders }: Context) {
    return (await loaders.offeringsByEndpointId.load(endpointId)).map(offeringView);
  }
}

@Resolver(() => OfferingView)
export class OfferingEdges {
  @FieldResolver(() => EndpointView, { description: "Where it is offered." })
  async endpoint(@Root() { endpointId }: OfferingView, @Ctx() { loaders }: Context) {
    return endpointView(await loaders.endpointById.load(endpointId));
  }
}
