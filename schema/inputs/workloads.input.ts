/** Which jobs, for the startup and for the provider. */
import { WorkloadJobState, WorkloadKind } from "../enums";
import { Flag, GlobalId, Input, Of } from "../fields";

@Input("WorkloadJobFilter", "Which jobs.")
export class WorkloadJobFilter {
  @GlobalId("Of this startup.", { nullable: true }) startupId?: string | null;
  @Of(() => WorkloadKind, "That do this.", { nullable: true }) kind?: WorkloadKind | null;
  @Of(() => WorkloadJobState, "That are so far.", { nullable: true }) state?: WorkloadJobState | null;
  @Flag("That ended without a charge although they had run, or did not.", { nullable: true })
  uncaptured?: boolean | null;
}

@Input("HostedJobFilter", "Which jobs at endpoints.")
export class HostedJobFilter {
  @GlobalId("At this provider's endpoints.", { nullable: true }) providerId?: string | null;
  @GlobalId("At this endpoint.", { nullable: true }) endpointId?: string | null;
  @Of(() => WorkloadKind, "That do this.", { nullable: true }) kind?: WorkloadKind | null;
  @Of(() => WorkloadJobState, "That are so far.", { nullable: true }) state?: WorkloadJobState | null;
}
