/** Which requests, for the startup and for the provider. */
import { UsageOutcome } from "../enums";
import { GlobalId, Input, Instant, Month, Of, Text } from "../fields";

@Input("UsageFilter", "Which charged requests.")
export class UsageFilter {
  @GlobalId("Of this startup.", { nullable: true }) startupId?: string | null;
  @Text("Of this model.", { nullable: true }) model?: string | null;
  @Of(() => UsageOutcome, "That ended so.", { nullable: true }) outcome?: UsageOutcome | null;
  @Instant("Settled at this instant or later.", { nullable: true }) from?: Date | null;
  @Instant("Settled before this instant.", { nullable: true }) to?: Date | null;
}

@Input("DeliveryFilter", "Which served requests.")
export class DeliveryFilter {
  @GlobalId("Of this provider.", { nullable: true }) providerId?: string | null;
  @GlobalId("At this endpoint.", { nullable: true }) endpointId?: string | null;
  @Text("Of this model.", { nullable: true }) model?: string | null;
  @Of(() => UsageOutcome, "That ended so.", { nullable: true }) outcome?: UsageOutcome | null;
  @Month("Of this billing month.", { nullable: true }) period?: string | null;
  @Instant("Settled at this instant or later.", { nullable: true }) from?: Date | null;
  @Instant("Settled before this instant.", { nullable: true }) to?: Date | null;
}
