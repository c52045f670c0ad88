/** A batch or fine-tuning job, told twice: to its startup without where it runs, to the provider without whose it is. */
import { WorkloadFailure, WorkloadJobState, WorkloadKind } from "../enums";
import { Flag, Instant, Of, Text, View, Whole } from "../fields";
import { Money } from "../money";
import { Node } from "../node";
import { connectionOf } from "../page";
import { streamMessage } from "../stream";

@View("WorkloadJob", "A batch or fine-tuning job, as the startup that made it sees it.", { implements: [Node] })
export class WorkloadJobView extends Node {
  @Text("Its name at the relay: `batch_…` or `ftjob-…`.") name!: string;
  @Of(() => WorkloadKind, "What it does.") kind!: WorkloadKind;
  @Of(() => WorkloadJobState, "How far it is.") state!: WorkloadJobState;
  @Of(() => WorkloadFailure, "Why it failed or expired; null while it has not.", { nullable: true })
  failure!: WorkloadFailure | null;
  @Text("The model that answers or is trained.") model!: string;
  @Text("The model that came out of it; null until it has, and of a batch.", { nullable: true })
  resultModel!: string | null;
  @Whole("Lines of its input.") lineCount!: number;
  @Whole("Lines of a batch that were answered.") answeredCount!: number;
  @Whole("Lines of a batch that were answered with an error, or not at all.") errorCount!: number;
  @Of(() => Money, "What is held for it at this moment: the most that it can still cost.") held!: Money;
  @Of(() => Money, "What it has been charged by now.") charge!: Money;
  @Whole("In how many stages it was charged; each is a usage record.") stageCount!: number;
  @Instant("When it was made.") createdAt!: Date;
  @Instant("When its provider began with it; null before.", { nullable: true }) startedAt!: Date | null;
  @Instant("When it was to be cancelled; null if it was not.", { nullable: true }) cancelAskedAt!: Date | null;
  @Instant("When it ended; null before.", { nullable: true }) endedAt!: Date | null;
  @Flag("Whether it ended without a charge although it had run: an operator looks at each.") uncaptured!: boolean;
  startupId!: string;
}

@View("HostedJob", "A batch or fine-tuning job, as the provider that runs it sees it.", { implements: [Node] })
export class HostedJobView extends Node {
  @Of(() => WorkloadKind, "What it does.") kind!: WorkloadKind;
  @Of(() => WorkloadJobState, "How far it is.") state!: WorkloadJobState;
  @Of(() => WorkloadFailure, "Why it failed or expired; null while it has not.", { nullable: true })
  failure!: WorkloadFailure | null;
  @Text("The marketplace's name of the model.") model!: string;
  @Text("The provider's own name of the job; null before it has one.", { nullable: true }) upstreamJob!: string | null;
  @Whole("In how many stages it was accrued; each is a delivery.") stageCount!: number;
  @Flag("Whether its figures were missing or beyond what the relay saw, so that the bound counted.")
  usageBounded!: boolean;
  @Instant("When it was made.") createdAt!: Date;
  @Instant("When it was handed over; null before.", { nullable: true }) submittedAt!: Date | null;
  @Instant("When it last answered for the job; null before the first time.", { nullable: true })
  contactAt!: Date | null;
  @Instant("When it ended; null before.", { nullable: true }) endedAt!: Date | null;
  endpointId!: string;
}

export const WorkloadJobConnection = connectionOf<WorkloadJobView>("WorkloadJob", () => WorkloadJobView);
export const HostedJobConnection = connectionOf<HostedJobView>("HostedJob", () => HostedJobView);

@View("WorkloadJobEvent", "A job was made, moved on, was charged for a stage, or ended.")
export class WorkloadJobEventView {
  @Text("Pass it as `after` to go on from here.") cursor!: string;
  @Of(() => WorkloadJobView, "The job as it is now.") node!: WorkloadJobView;
}

export const WorkloadJobChangeMessage = streamMessage(
  "WorkloadJobChangeMessage",
  "A message of the stream of jobs.",
  () => WorkloadJobEventView,
);
