/** What is promised, and when a promise was broken. */
import { SlaBreachChange, SlaBreachKind, SlaTierCode } from "../enums";
import { Exact, Flag, Instant, Of, Text, View, Whole } from "../fields";
import { Node } from "../node";
import { connectionOf } from "../page";
import { streamMessage } from "../stream";

@View("SlaTier", "A service level that a provider commits an endpoint to.")
export class SlaTierView {
  @Of(() => SlaTierCode, "Which level.") code!: SlaTierCode;
  @Whole("Its place, from 1; a higher one promises more.") rank!: number;
  @Exact("Promised uptime over 30 days, e.g. `0.995`.") uptimeTarget!: string;
  @Whole("Promised 95th percentile of the time to the first byte of content, in milliseconds.") responseTimeMs!: number;
  @Text("What it suits.") bestFor!: string;
}

@View("SlaEvidence", "What was counted in the minute that opened a breach.")
export class SlaEvidenceView {
  @Instant("The minute.") minute!: Date;
  @Whole("Requests tried.") requests!: number;
  @Whole("Requests that failed.") failed!: number;
  @Whole("Probes sent.") probes!: number;
  @Whole("Probes that failed.") probesFailed!: number;
  @Whole("Answers whose first byte of content was timed.") ttftSamples!: number;
  @Whole("Of those, within 100 ms.") within100Ms!: number;
  @Whole("Of those, within 200 ms.") within200Ms!: number;
  @Whole("Of those, within 500 ms.") within500Ms!: number;
}

@View("SlaBreach", "A promise of a service level that was broken for a time.", { implements: [Node] })
export class SlaBreachView extends Node {
  @Of(() => SlaBreachKind, "Which promise.") kind!: SlaBreachKind;
  @Instant("When it was first found broken.") openedAt!: Date;
  @Instant("When it was kept again; null while it is broken.", { nullable: true }) closedAt!: Date | null;
  @Flag("Whether it is still broken.") open!: boolean;
  @Of(() => SlaEvidenceView, "What was counted in the minute that opened it.") evidence!: SlaEvidenceView;
  endpointId!: string;
  slaTierCode!: string;
}

@View("SlaBreachEvent", "A change of one breach.")
export class SlaBreachEventView {
  @Text("Pass it as `after` to go on behind this message.") cursor!: string;
  @Of(() => SlaBreachChange, "What happened.") change!: SlaBreachChange;
  @Of(() => SlaBreachView, "The breach as it is now.") node!: SlaBreachView;
}

export const SlaBreachMessage = streamMessage(
  "SlaBreachMessage",
  "A message of the breach stream.",
  () => SlaBreachEventView,
);

export const SlaBreachConnection = connectionOf<SlaBreachView>("SlaBreach", () => SlaBreachView);
