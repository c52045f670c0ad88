/** What a month earned: statements with their lines, what was objected to and corrected, and the same worked out again. */
import { ClientSegment, StatementDisputeState, StatementLineKind, StatementState, Workload } from "../enums";
import { Exact, Flag, Instant, ListOf, Month, Of, Text, View, Whole } from "../fields";
import { Money } from "../money";
import { Node } from "../node";
import { connectionOf } from "../page";
import { streamMessage } from "../stream";

@View("Statement", "What a provider earned in one billing month. Once it is final, nothing of it changes any more.", {
  implements: [Node],
})
export class StatementView extends Node {
  @Month("Billing month, in UTC.") period!: string;
  @Of(() => StatementState, "How far it is.") state!: StatementState;
  @Of(() => Money, "The sum of its lines.") total!: Money;
  @Instant("When it was drafted.") draftedAt!: Date;
  @Instant("Until when its provider may object; null in a draft.", { nullable: true }) reviewEndsAt!: Date | null;
  @Instant("When its provider approved it; null when it has not, or said nothing.", { nullable: true })
  approvedAt!: Date | null;
  @Instant("When it became final; null while it is not.", { nullable: true }) finalisedAt!: Date | null;
  @Instant("When its total falls due: 30 days after the month's end.") dueAt!: Date;
  @Whole("Counts its changes.") version!: number;
  statementId!: string;
  providerId!: string;
}

@View("StatementSlaEvidence", "Why an endpoint's accruals were reduced: the thirty days before the month's end.")
export class StatementSlaEvidenceView {
  @Exact("The uptime that its tier promises, e.g. `0.995`.") target!: string;
  @Exact("What it came to.") uptime!: string;
  @Whole("Minutes with a verdict.") eligibleMinutes!: number;
  @Whole("Bad ones among them.") badMinutes!: number;
  @Of(() => Money, "What the endpoint's requests accrued in the month.") accrued!: Money;
  endpointId!: string;
}

@View("StatementLine", "One amount of a statement. Clients are told by segment, never by name.", { implements: [Node] })
export class StatementLineView extends Node {
  @Of(() => StatementLineKind, "What it is about.") kind!: StatementLineKind;
  @Of(() => Money, "The amount; negative where something is taken off.") amount!: Money;
  @Text("Code of the accelerator; null where it is not about usage.", { nullable: true }) accelerator!: string | null;
  @Text("Region; null where it is not about usage.", { nullable: true }) region!: string | null;
  @Of(() => ClientSegment, "How far the clients were; null where it is not about usage.", { nullable: true })
  segment!: ClientSegment | null;
  @Of(() => Workload, "What kind of work; null where it is not about usage.", { nullable: true })
  workload!: Workload | null;
  @Of(() => Money, "Spot price of one GPU-hour at the fixing; null where it is not about usage.", { nullable: true })
  spotPricePerGpuHour!: Money | null;
  @Exact("Share of the fixing that was accrued, or part that an adjustment or a holdback takes; null otherwise.", {
    nullable: true,
  })
  share!: string | null;
  @Whole("Requests that it sums up.") requests!: number;
  @Exact("GPU time that it sums up, in GPU-seconds.") gpuSeconds!: string;
  @Text("Why, where a person decided it.", { nullable: true }) reason!: string | null;
  @Of(() => StatementSlaEvidenceView, "Of an SLA adjustment: what was measured.", { nullable: true })
  evidence!: StatementSlaEvidenceView | null;
  @Instant("When it was added.") createdAt!: Date;
  statementId!: string;
  fixingId!: string | null;
}

@View("StatementDispute", "An objection to one line of a statement, and its answer.", { implements: [Node] })
export class StatementDisputeView extends Node {
  @Of(() => StatementDisputeState, "How it stands.") state!: StatementDisputeState;
  @Text("What the provider says.") reason!: string;
  @Instant("When it was opened.") openedAt!: Date;
  @Text("What the operator says; null before.", { nullable: true }) answer!: string | null;
  @Of(() => Money, "What it changed about the statement; null when nothing.", { nullable: true }) credit!: Money | null;
  @Instant("When it was answered; null before.", { nullable: true }) resolvedAt!: Date | null;
  statementId!: string;
  lineId!: string;
}

@View("CreditNote", "A correction of a final statement, which goes on the provider's next one.", { implements: [Node] })
export class CreditNoteView extends Node {
  @Of(() => Money, "What is corrected; negative when the provider gives back.") amount!: Money;
  @Of(() => Money, "What of it is on no statement yet.") remaining!: Money;
  @Text("Why.") reason!: string;
  @Instant("When it was written.") createdAt!: Date;
  statementId!: string;
}

@View("StatementReplayLine", "A line that comes to something else when it is worked out again.")
export class StatementReplayLineView {
  lineId!: string | null;
  @Of(() => StatementLineKind, "What it is about.") kind!: StatementLineKind;
  @Of(() => Money, "What the statement says.") stated!: Money;
  @Of(() => Money, "What it comes to.") replayed!: Money;
}

@View("StatementReplayKind", "All lines of one kind, as stated and as worked out again.")
export class StatementReplayKindView {
  @Of(() => StatementLineKind, "What they are about.") kind!: StatementLineKind;
  @Whole("How many there are.") lines!: number;
  @Of(() => Money, "What the statement says.") stated!: Money;
  @Of(() => Money, "What they come to.") replayed!: Money;
}

@View(
  "StatementReplay",
  "A statement worked out again from usage records, stored fixings, stored rate cards and stored evidence.",
)
export class StatementReplayView {
  @Flag("Whether every line and the total come to the same.") matches!: boolean;
  @Of(() => StatementView, "The statement.") statement!: StatementView;
  @Of(() => Money, "The total that it states.") stated!: Money;
  @Of(() => Money, "The total that it comes to.") replayed!: Money;
  @Whole("Usage records that were priced again.") requests!: number;
  @ListOf(() => StatementReplayKindView, "By kind of line.") kinds!: StatementReplayKindView[];
  @ListOf(() => StatementReplayLineView, "The first hundred lines that do not come to the same; none when it matches.")
  differences!: StatementReplayLineView[];
}

@View("StatementEvent", "A change of one statement.")
export class StatementEventView {
  @Text("Pass it as `after` to go on behind this message.") cursor!: string;
  @Of(() => StatementView, "The statement as it is now.") node!: StatementView;
}

export const StatementChangeMessage = streamMessage(
  "StatementChangeMessage",
  "A message of the stream of statements.",
  () => StatementEventView,
);

export const StatementConnection = connectionOf<StatementView>("Statement", () => StatementView);
export const StatementLineConnection = connectionOf<StatementLineView>("StatementLine", () => StatementLineView);
