/** When capacity is there: windows of GPUs in a place. */
import { CapacityChange, CapacityWindowKind } from "../enums";
import { Instant, Of, Text, View, Whole } from "../fields";
import { Node } from "../node";
import { connectionOf } from "../page";
import { streamMessage } from "../stream";

@View("CapacityWindow", "A span of time in which GPUs of one kind in one place are offered, extra, or down.", {
  implements: [Node],
})
export class CapacityWindowView extends Node {
  @Text("Region, e.g. `eu-north`.") region!: string;
  @Text("Zone within the region.") zone!: string;
  @Of(() => CapacityWindowKind, "What the window says about its time.") kind!: CapacityWindowKind;
  @Whole("How many GPUs it is about.") gpuCount!: number;
  @Instant("When it begins.") startsAt!: Date;
  @Instant("When it ends; null until further notice.", { nullable: true }) endsAt!: Date | null;
  @Instant("When it was cancelled; null while it stands.", { nullable: true }) cancelledAt!: Date | null;
  @Instant("When it was opened.") createdAt!: Date;
  @Whole("Counts its changes; pass it as expectedVersion to change only what you have read.") version!: number;
  providerId!: string;
  acceleratorCode!: string;
}

@View("CapacityWindowEvent", "A change of one capacity window.")
export class CapacityWindowEventView {
  @Text("Pass it as `after` to go on behind this message.") cursor!: string;
  @Of(() => CapacityChange, "What happened.") change!: CapacityChange;
  @Of(() => CapacityWindowView, "The window as it is now.") node!: CapacityWindowView;
}

export const CapacityChangeMessage = streamMessage(
  "CapacityChangeMessage",
  "A message of the stream of capacity changes.",
  () => CapacityWindowEventView,
);

export const CapacityWindowConnection = connectionOf<CapacityWindowView>("CapacityWindow", () => CapacityWindowView);
