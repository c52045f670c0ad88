/** Where credit comes from and what is left of it: facilities, drawdowns, credit lots, balances. */
import { FacilityState } from "../enums";
import { Exact, Instant, Of, Text, View, Whole } from "../fields";
import { Money } from "../money";
import { Node } from "../node";
import { connectionOf } from "../page";

@View("Facility", "A capital partner's standing offer to fund credits, up to a limit, at a multiplier.", {
  implements: [Node],
})
export class FacilityView extends Node {
  @Text("The capital partner's name for it.") name!: string;
  @Of(() => Money, "Dollars that can be drawn in all.") limit!: Money;
  @Of(() => Money, "Dollars drawn so far.") drawn!: Money;
  @Exact("Credits issued per dollar funded, 1.25 to 1.50.") multiplier!: string;
  @Of(() => FacilityState, "Whether it can be drawn on.") state!: FacilityState;
  @Instant("When it was opened.") openedAt!: Date;
  @Whole("Counts its changes.") version!: number;
  facilityId!: string;
  capitalPartnerId!: string;
}

@View("FacilityBalance", "Where a facility's dollars and the credits issued against them are.")
export class FacilityBalanceView {
  @Of(() => Money, "Dollars that came in.") funded!: Money;
  @Of(() => Money, "Dollars that still stand behind issued credit.") backing!: Money;
  @Of(() => Money, "Credits issued.") issued!: Money;
  @Of(() => Money, "Credits set aside for requests in flight.") held!: Money;
  @Of(() => Money, "Credits spent.") spent!: Money;
}

@View("CreditBalance", "A wallet's credit. Issued = available + held + spent, always.")
export class CreditBalanceView {
  @Of(() => Money, "Credits issued in all.") issued!: Money;
  @Of(() => Money, "Credits that a new request can use.") available!: Money;
  @Of(() => Money, "Credits set aside for requests in flight.") held!: Money;
  @Of(() => Money, "Credits spent.") spent!: Money;
  @Instant("When this was so.") asOf!: Date;
}

@View("CreditLot", "The credits that one drawdown issued to a startup.", { implements: [Node] })
export class CreditLotView extends Node {
  @Of(() => Money, "Credits issued.") issued!: Money;
  @Exact("Credits issued per dollar funded.") multiplier!: string;
  @Instant("When it was issued.") issuedAt!: Date;
  accountId!: string;
  facilityId!: string;
  startupId!: string;
}

@View("Drawdown", "Dollars drawn from a facility for one startup.", { implements: [Node] })
export class DrawdownView extends Node {
  @Of(() => Money, "Dollars drawn.") funded!: Money;
  @Instant("When they were drawn.") drawnAt!: Date;
  facilityId!: string;
  startupId!: string;
}

export const FacilityConnection = connectionOf<FacilityView>("Facility", () => FacilityView);
export const DrawdownConnection = connectionOf<DrawdownView>("Drawdown", () => DrawdownView);
export const CreditLotConnection = connectionOf<CreditLotView>("CreditLot", () => CreditLotView);
