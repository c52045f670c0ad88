/** What can be asked of the ledger. */
import { LedgerAccountKind } from "../enums";
import { GlobalId, Input, Instant, Month, Of } from "../fields";

@Input("LedgerAccountFilter", "Which accounts.")
export class LedgerAccountFilter {
  @Of(() => LedgerAccountKind, "Of this kind.", { nullable: true }) kind?: LedgerAccountKind | null;
  @GlobalId("Of this organisation.", { nullable: true }) organisationId?: string | null;
  @GlobalId("Of this facility.", { nullable: true }) facilityId?: string | null;
  @Month("Of this billing month.", { nullable: true }) period?: string | null;
}

@Input("LedgerEntryFilter", "Which entries.")
export class LedgerEntryFilter {
  @Instant("Booked at this instant or after.", { nullable: true }) from?: Date | null;
  @Instant("Booked before this instant.", { nullable: true }) to?: Date | null;
}
