/** What can be asked of funding. */
import { Exact, GlobalId, Input, Instant, Text } from "../fields";

@Input("FacilityOpenInput", "A new facility.")
export class FacilityOpenInput {
  @GlobalId("The capital partner; your own organisation when left out.", { nullable: true }) capitalPartnerId?:
    | string
    | null;
  @Text("Your name for it.") name!: string;
  @Exact("Dollars that can be drawn in all.") limit!: string;
  @Exact("Credits issued per dollar funded, `1.25` to `1.50`.") multiplier!: string;
}

@Input("DrawdownCreateInput", "Dollars to turn into a startup's credit.")
export class DrawdownCreateInput {
  @GlobalId("The facility to draw on.") facilityId!: string;
  @GlobalId("The startup that receives the credit.") startupId!: string;
  @Exact("Dollars to draw, above zero.") amount!: string;
}

@Input("FacilityFilter", "Which facilities.")
export class FacilityFilter {
  @GlobalId("Of this capital partner.", { nullable: true }) capitalPartnerId?: string | null;
}

@Input("DrawdownFilter", "Which drawdowns.")
export class DrawdownFilter {
  @GlobalId("For this startup.", { nullable: true }) startupId?: string | null;
  @GlobalId("From this facility.", { nullable: true }) facilityId?: string | null;
  @Instant("Drawn at this instant or later.", { nullable: true }) from?: Date | null;
  @Instant("Drawn before this instant.", { nullable: true }) to?: Date | null;
}

@Input("CreditLotFilter", "Which credit lots.")
export class CreditLotFilter {
  @GlobalId("Of this startup.", { nullable: true }) startupId?: string | null;
  @GlobalId("Issued by this facility.", { nullable: true }) facilityId?: string | null;
}
