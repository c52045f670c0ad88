/** Which breaches. */
import { Flag, GlobalId, Input } from "../fields";

@Input("SlaBreachFilter", "Which breaches.")
export class SlaBreachFilter {
  @GlobalId("Of this provider.", { nullable: true }) providerId?: string | null;
  @GlobalId("At this endpoint.", { nullable: true }) endpointId?: string | null;
  @Flag("Still open, or closed.", { nullable: true }) open?: boolean | null;
}
