/** Batches and fine-tuning jobs: for the startup its own, for the provider those at its endpoints. */
import { Args, Ctx, FieldResolver, Query, Resolver, Root } from "type-graphql";
import { Filter } from "../schema/fields";
import { HostedJobFilter, WorkloadJobFilter } from "../schema/inputs/workloads.input";
import { PageArgs } from "../schema/page";
import { EndpointView } from "../schema/views/catalog.view";
import { HostedJobConnection, HostedJobView, WorkloadJobConnection } from "../schema/views/workloads.view";
import type { Context } from "../src/api/context";
import { optionalUuidOf } from "../src/api/node-ids";
import { endpointView } from "../src/api/views/catalog";
import { connection } from "../src/api/views/page";
import { hostedJobView, workloadJobView } from "../src/api/views/workloads";

@Resolver()
export class WorkloadsResolver {
  @Query(() => WorkloadJobConnection, {
    description: "Batches and fine-tuning jobs: a startup's own, all for an operator.",
  })
  async workloadJobs(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => WorkloadJobFilter) filter: WorkloadJobFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const startupId = optionalUuidOf(filter?.startupId, "Startup", "startupId");
    return connection(await services.workloads.page(viewer, page, { ...filter, startupId }), workloadJobView);
  }

  @Query(() => HostedJobConnection, {
    description: "Batches and fine-tuning jobs at endpoints: a provider's own, all for an operator.",
  })
  async hostedJobs(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => HostedJobFilter) filter: HostedJobFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const providerId = optionalUuidOf(filter?.providerId, "Provider", "providerId");
    const endpointId = optionalUuidOf(filter?.endpointId, "Endpoint", "endpointId");
    const jobs = await services.workloads.hostedPage(viewer, page, { ...filter, providerId, endpointId });
    return connection(jobs, hostedJobView);
  }
}

@Resolver(() => HostedJobView)
export class HostedJobEdges {
  @FieldResolver(() => EndpointView, { description: "The endpoint that runs it." })
  async endpoint(@Root() { endpointId }: HostedJobView, @Ctx() { loaders }: Context) {
    return endpointView(await loaders.endpointById.load(endpointId));
  }
}
