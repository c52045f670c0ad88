/** Which breaches. */
import { Flag, GlobalId, Input, Instant } from "../fields";

@Input("SlaBreachFilter", "Which breaches.")
export class SlaBreachFilter {
  @GlobalId("Of this provider.", { nullable: true }) providerId?: string | null;
  @GlobalId("At this endpoint.", { nullable: true }) endpointId?: string | null;
  @Flag("Still open, or closed.", { nullable: true }) open?: boolean | null;
  @Instant("Opened at this instant or later.", { nullable: true }) from?: Date | null;
  @Instant("Opened before this instant.", { nullable: true }) to?: Date | null;
}
