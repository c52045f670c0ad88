/** Batches and fine-tuning jobs as they go on, without loss. */
import { Arg, Resolver, Root, Subscription } from "type-graphql";
import type { WorkloadJob } from "../entities/workload-job";
import { WorkloadJobChangeMessage } from "../schema/views/workloads.view";
import { organisationScope, requireKind } from "../src/accounts/viewer";
import type { Context } from "../src/api/context";
import { type DurableMessage, durable } from "../src/api/streams/stream";
import { streamMessageView } from "../src/api/views/stream";
import { workloadJobView } from "../src/api/views/workloads";

function jobStream(after: string | null | undefined, { viewer, services: { workloads } }: Context) {
  const known = requireKind(viewer, "READ", "STARTUP", "OPERATOR");
  return durable<"workload.changed", WorkloadJob>(after, {
    topics: ["workload.changed"],
    organisationId: organisationScope(known, "READ"),
    snapshot: () => workloads.underWay(viewer),
    // A job goes through several states and stages, and each is told, also of what the snapshot held already.
    toldBy: () => undefined,
    tells: () => undefined,
    async itemsOf(events) {
      const rows = await workloads.shownByIds(
        viewer,
        events.map(({ payload }) => payload.jobId),
      );
      const byId = new Map(rows.map((row) => [row.id, row]));
      return events.map(({ payload }) => byId.get(payload.jobId));
    },
  });
}

@Resolver()
export class WorkloadsSubscription {
  @Subscription(() => WorkloadJobChangeMessage, {
    description:
      "Batches and fine-tuning jobs of a startup, all for an operator. Without `after`: those that have not ended, a checkpoint, then every change. With `after`: every change behind that cursor, then live. Nothing is lost.",
    subscribe: ({ args, context }: { args: { after?: string | null }; context: Context }) =>
      jobStream(args.after, context),
  })
  workloadJobChanges(
    @Root() message: DurableMessage<WorkloadJob>,
    @Arg("after", () => String, { nullable: true, description: "Cursor of the last message received." }) _after:
      | string
      | null,
  ): typeof WorkloadJobChangeMessage {
    return streamMessageView(message, (job, cursor) => ({ cursor, node: workloadJobView(job) }));
  }
}
