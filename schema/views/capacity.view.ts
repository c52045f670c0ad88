/** When capacity is there: windows of GPUs in a place. */
import { CapacityWindowKind } from "../enums";
import { Instant, Of, Text, View, Whole } from "../fields";
import { Node } from "../node";
import { connectionOf } from "../page";

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

export const CapacityWindowConnection = connectionOf<CapacityWindowView>("CapacityWindow", () => CapacityWindowView);
