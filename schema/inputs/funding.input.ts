/** What can be asked of funding. */
import { Workload } from "../enums";
import { Exact, Flag, GlobalId, Input, Instant, ListOf, Text, Texts, Whole } from "../fields";

@Input("FacilityOpenInput", "A new facility.")
export class FacilityOpenInput {
  @GlobalId("The capital partner; your own organisation when left out.", { nullable: true }) capitalPartnerId?:
    | string
    | null;
  @Text("Your name for it.") name!: string;
  @Exact("Dollars that can be drawn in all.") limit!: string;
  @Exact("Credits issued per dollar funded, `1.25` to `1.50`.") multiplier!: string;
  @Exact("Share of the dollars drawn that is taken once, up to `0.05`; none when left out.", { nullable: true })
  originationFee?: string | null;
  @Exact("Share of the dollars drawn that servicing costs in a year, up to `0.02`; none when left out.", {
    nullable: true,
  })
  servicingFee?: string | null;
  @Whole("Days after which its lots expire, up to 3650; they do not by themselves when left out.", { nullable: true })
  tenorDays?: number | null;
  @Exact("The coverage below which nothing is issued, `1` to `2`; `1` when left out.", { nullable: true })
  coverageFloor?: string | null;
  @Exact("Share of the limit that one startup may draw; all of it when left out.", { nullable: true }) startupLimit?:
    | string
    | null;
}

@Input("FacilityCloseInput", "Which facility to close.")
export class FacilityCloseInput {
  @GlobalId("The facility.") id!: string;
  @Whole("Only if its version is still this one.", { nullable: true }) expectedVersion?: number | null;
}

@Input("FacilityChangeLimitInput", "A facility's new limit.")
export class FacilityChangeLimitInput {
  @GlobalId("The facility.") id!: string;
  @Exact("Dollars that can be drawn in all, no less than what was drawn.") limit!: string;
  @Whole("Only if its version is still this one.", { nullable: true }) expectedVersion?: number | null;
}

@Input("DrawdownCreateInput", "Dollars to turn into a startup's credit.")
export class DrawdownCreateInput {
  @GlobalId("The facility to draw on.") facilityId!: string;
  @GlobalId("The startup that receives the credit.") startupId!: string;
  @Exact("Dollars to draw, above zero.") amount!: string;
  @Whole("The lower, the earlier the lot is drawn on, `0` to `1000`; `100` when left out.", { nullable: true })
  priority?: number | null;
  @Instant("When the lot expires, before the facility's tenor ends; with the tenor when left out.", { nullable: true })
  expiresAt?: Date | null;
  @Texts("Only for requests that can end at these GPU models alone; any when left out.", { nullable: true })
  accelerators?: string[] | null;
  @ListOf(() => Workload, "Only for these kinds of work; any when left out.", { nullable: true }) workloads?:
    | Workload[]
    | null;
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
  @Instant("Not expired yet, and due to before this instant.", { nullable: true }) expiringBefore?: Date | null;
}

@Input("CreditUseFilter", "Which use of credit.")
export class CreditUseFilter {
  @GlobalId("Of this capital partner's facilities.", { nullable: true }) capitalPartnerId?: string | null;
  @GlobalId("Of this facility.", { nullable: true }) facilityId?: string | null;
  @Instant("Spent in this hour or later.", { nullable: true }) from?: Date | null;
  @Instant("Spent in an hour that began before this instant.", { nullable: true }) to?: Date | null;
}

@Input("CoverageAlertFilter", "Which alerts.")
export class CoverageAlertFilter {
  @GlobalId("Of this facility.", { nullable: true }) facilityId?: string | null;
  @Flag("Still open, or closed.", { nullable: true }) open?: boolean | null;
}
