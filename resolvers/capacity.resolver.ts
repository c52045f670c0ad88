/** Windows of baseline, burst and maintenance. */
import { Args, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from "type-graphql";
import { Filter, InputArg } from "../schema/fields";
import {
  CapacityWindowCancelInput,
  CapacityWindowFilter,
  CapacityWindowOpenInput,
} from "../schema/inputs/capacity.input";
import { PageArgs } from "../schema/page";
import { CapacityWindowCancel, CapacityWindowOpen } from "../schema/payloads/capacity.payload";
import { ProviderView } from "../schema/views/accounts.view";
import { CapacityWindowConnection, CapacityWindowView } from "../schema/views/capacity.view";
import { AcceleratorView } from "../schema/views/catalog.view";
import type { Context } from "../src/api/context";
import { optionalUuidOf, uuidOf } from "../src/api/node-ids";
import { answer } from "../src/api/user-errors";
import { organisationView } from "../src/api/views/accounts";
import { capacityWindowView } from "../src/api/views/capacity";
import { acceleratorView } from "../src/api/views/catalog";
import { connection } from "../src/api/views/page";

@Resolver()
export class CapacityResolver {
  @Query(() => CapacityWindowConnection, { description: "Capacity windows: a provider's own, all for an operator." })
  async capacityWindows(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => CapacityWindowFilter) filter: CapacityWindowFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const providerId = optionalUuidOf(filter?.providerId, "Provider", "providerId");
    return connection(await services.capacity.windows(viewer, page, { ...filter, providerId }), capacityWindowView);
  }

  @Mutation(() => CapacityWindowOpen.type, { description: "Opens a capacity window. For providers." })
  capacityWindowOpen(
    @InputArg(() => CapacityWindowOpenInput) input: CapacityWindowOpenInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return answer(CapacityWindowOpen, async () => {
      const providerId = optionalUuidOf(input.providerId, "Provider", "providerId");
      return {
        capacityWindow: capacityWindowView(await services.capacity.openWindow(viewer, { ...input, providerId })),
      };
    });
  }

  @Mutation(() => CapacityWindowCancel.type, { description: "Cancels a capacity window from now on. For providers." })
  capacityWindowCancel(
    @InputArg(() => CapacityWindowCancelInput) input: CapacityWindowCancelInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return answer(CapacityWindowCancel, async () => {
      const id = uuidOf(input.id, "CapacityWindow", "id");
      return {
        capacityWindow: capacityWindowView(await services.capacity.cancelWindow(viewer, id, input.expectedVersion)),
      };
    });
  }
}

@Resolver(() => CapacityWindowView)
export class CapacityWindowEdges {
  @FieldResolver(() => ProviderView, { description: "Whose GPUs." })
  async provider(@Root() { providerId }: CapacityWindowView, @Ctx() { loaders }: Context) {
    return organisationView(await loaders.organisationById.load(providerId));
  }

  @FieldResolver(() => AcceleratorView, { description: "Which GPUs." })
  async accelerator(@Root() { acceleratorCode }: CapacityWindowView, @Ctx() { loaders }: Context) {
    return acceleratorView(await loaders.acceleratorByCode.load(acceleratorCode));
  }
}
