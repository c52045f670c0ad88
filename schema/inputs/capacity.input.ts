/** What can be asked of capacity. */
import { CapacityWindowKind } from "../enums";
import { GlobalId, Input, Instant, Of, Text, Whole } from "../fields";

@Input("CapacityWindowOpenInput", "A new capacity window.")
export class CapacityWindowOpenInput {
  @GlobalId("The provider; your own organisation when left out.", { nullable: true }) providerId?: string | null;
  @Text("Code of the accelerator, e.g. `H100`.") accelerator!: string;
  @Text("Region, e.g. `eu-north`.") region!: string;
  @Text("Zone within the region.") zone!: string;
  @Of(() => CapacityWindowKind, "What the window says about its time.") kind!: CapacityWindowKind;
  @Whole("How many GPUs it is about.") gpuCount!: number;
  @Instant("When it begins.") startsAt!: Date;
  @Instant("When it ends; until further notice when left out. MAINTENANCE must have an end.", { nullable: true })
  endsAt?: Date | null;
}

@Input("CapacityWindowCancelInput", "Which window to cancel.")
export class CapacityWindowCancelInput {
  @GlobalId("The window.") id!: string;
  @Whole("Only if its version is still this one.", { nullable: true }) expectedVersion?: number | null;
}

@Input("CapacityWindowFilter", "Which windows.")
export class CapacityWindowFilter {
  @GlobalId("Of this provider.", { nullable: true }) providerId?: string | null;
  @Text("Of this accelerator.", { nullable: true }) accelerator?: string | null;
  @Text("In this region.", { nullable: true }) region?: string | null;
  @Of(() => CapacityWindowKind, "Of this kind.", { nullable: true }) kind?: CapacityWindowKind | null;
  @Instant("Standing at this instant.", { nullable: true }) activeAt?: Date | null;
}
