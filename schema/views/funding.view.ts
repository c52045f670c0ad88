/** Where credit comes from, what is left of it, and what covers it: facilities, drawdowns, credit lots, balances, coverage. */
import { CapitalExportKind, CoverageAlertChange, FacilityState, Workload } from "../enums";
import { Big, Exact, Flag, Instant, ListOf, Month, Of, Text, Texts, View, Whole } from "../fields";
import { Money } from "../money";
import { Node } from "../node";
import { connectionOf } from "../page";
import { streamMessage } from "../stream";

@View("Facility", "A capital partner's standing offer to fund credits, up to a limit, at a multiplier.", {
  implements: [Node],
})
export class FacilityView extends Node {
  @Text("The capital partner's name for it.") name!: string;
  @Of(() => Money, "Dollars that can be drawn in all.") limit!: Money;
  @Of(() => Money, "Dollars drawn so far.") drawn!: Money;
  @Exact("Credits issued per dollar funded, 1.25 to 1.50.") multiplier!: string;
  @Exact("Share of the dollars drawn that is taken once, e.g. `0.03`; the rest stands behind the credits.")
  originationFee!: string;
  @Exact("Share of the dollars drawn that servicing costs in a year, charged monthly.") servicingFee!: string;
  @Whole("Days after which its lots expire; null when they do not by themselves.", { nullable: true }) tenorDays!:
    | number
    | null;
  @Exact("The coverage below which nothing is issued, 1 or more.") coverageFloor!: string;
  @Exact("Share of the limit that one startup may draw.") startupLimit!: string;
  @Of(() => FacilityState, "Whether it can be drawn on.") state!: FacilityState;
  @Instant("When it was opened.") openedAt!: Date;
  @Instant("When it was closed; null while it is open.", { nullable: true }) closedAt!: Date | null;
  @Whole("Counts its changes.") version!: number;
  facilityId!: string;
  capitalPartnerId!: string;
}

@View(
  "FacilityBalance",
  "Where a facility's dollars and the credits issued against them are. Issued = available + held + blocked + spent + expired + assigned, always.",
)
export class FacilityBalanceView {
  @Of(() => Money, "Dollars that came in.") funded!: Money;
  @Of(() => Money, "Dollars that still stand behind issued credit.") backing!: Money;
  @Of(() => Money, "Credits issued.") issued!: Money;
  @Of(() => Money, "Credits that new requests can use.") available!: Money;
  @Of(() => Money, "Credits set aside for requests in flight, or lent to a relay for them.") held!: Money;
  @Of(() => Money, "Credits frozen by a block.") blocked!: Money;
  @Of(() => Money, "Credits spent.") spent!: Money;
  @Of(() => Money, "Credits that expired unspent.") expired!: Money;
  @Of(() => Money, "Credits taken over by the capital partner after a default.") assigned!: Money;
}

@View("CreditBalance", "A wallet's credit. Issued = available + held + blocked + spent + expired + assigned, always.")
export class CreditBalanceView {
  @Of(() => Money, "Credits issued in all.") issued!: Money;
  @Of(() => Money, "Credits that a new request can use.") available!: Money;
  @Of(() => Money, "Credits set aside for requests in flight, or lent to a relay for them.") held!: Money;
  @Of(() => Money, "Credits that a lender has frozen.") blocked!: Money;
  @Of(() => Money, "Credits spent.") spent!: Money;
  @Of(() => Money, "Credits that expired unspent.") expired!: Money;
  @Of(() => Money, "Credits that a lender took over after a default.") assigned!: Money;
  @Instant("When this was so.") asOf!: Date;
}

@View("CreditLot", "The credits that one drawdown issued to a startup.", { implements: [Node] })
export class CreditLotView extends Node {
  @Of(() => Money, "Credits issued.") issued!: Money;
  @Exact("Credits issued per dollar funded.") multiplier!: string;
  @Whole("The lower, the earlier it is drawn on; then whichever expires first, then the older.") priority!: number;
  @Instant("From here on what is left of it is gone; null when it stays.", { nullable: true }) expiresAt!: Date | null;
  @Texts("Only for requests that can end at these GPU models alone; null: any.", { nullable: true }) accelerators!:
    | string[]
    | null;
  @ListOf(() => Workload, "Only for these kinds of work; null: any.", { nullable: true }) workloads!: Workload[] | null;
  @Instant("When it was issued.") issuedAt!: Date;
  accountId!: string;
  drawdownId!: string;
  facilityId!: string;
  startupId!: string;
  issuedNanoCredit!: bigint;
}

@View("Drawdown", "Dollars drawn from a facility for one startup.", { implements: [Node] })
export class DrawdownView extends Node {
  @Of(() => Money, "Dollars drawn.") funded!: Money;
  @Of(() => Money, "Of these, taken as the origination fee.") originationFee!: Money;
  @Of(() => Money, "Of these, standing behind the credits that it issued.") net!: Money;
  @Instant("When they were drawn.") drawnAt!: Date;
  facilityId!: string;
  startupId!: string;
}

@View(
  "Coverage",
  "Dollars behind credits ÷ what those credits may still cost providers: outstanding × the worst share of the fixing that any rate card pays ÷ its redemption factor. Charges and accruals use the same frozen fixing, so its level cancels out.",
)
export class CoverageView {
  @Exact("The ratio, rounded down; 1 pays for everything. Null when nothing is outstanding.", { nullable: true })
  ratio!: string | null;
  @Exact("Below this nothing is issued, and an alert opens.") floor!: string;
  @Flag("Whether the floor is kept.") covered!: boolean;
  @Of(() => Money, "Dollars that stand behind the credits.") backing!: Money;
  @Of(() => Money, "Credits that can still be spent: available, held and blocked.") outstanding!: Money;
  @Exact("Dollars that one credit may cost at most, rounded up.") worstCostPerCredit!: string;
  @Instant("When this was so.") asOf!: Date;
  facilityId!: string | null;
}

@View("CoverageAlert", "A time in which dollars did not cover what credits may cost.", { implements: [Node] })
export class CoverageAlertView extends Node {
  @Exact("The ratio that opened it.") ratio!: string;
  @Exact("The floor that it was below.") floor!: string;
  @Of(() => Money, "Dollars behind the credits then.") backing!: Money;
  @Of(() => Money, "Credits outstanding then.") outstanding!: Money;
  @Exact("Dollars that one credit could cost at most then.") worstCostPerCredit!: string;
  @Instant("When coverage was found below its floor.") openedAt!: Date;
  @Instant("When it was found back; null while it is below.", { nullable: true }) closedAt!: Date | null;
  @Flag("Whether it is still below.") open!: boolean;
  facilityId!: string | null;
}

@View("CoverageAlertEvent", "A change of one alert.")
export class CoverageAlertEventView {
  @Text("Pass it as `after` to go on behind this message.") cursor!: string;
  @Of(() => CoverageAlertChange, "What happened.") change!: CoverageAlertChange;
  @Of(() => CoverageAlertView, "The alert as it is now.") node!: CoverageAlertView;
}

export const CoverageAlertMessage = streamMessage(
  "CoverageAlertMessage",
  "A message of the stream of coverage alerts.",
  () => CoverageAlertEventView,
);

@View("FacilityOutlook", "How long a facility's credit will last.")
export class FacilityOutlookView {
  @Of(() => Money, "Credits outstanding in lots that expire within 30 days.") expiring!: Money;
  @Of(() => Money, "Credits spent in the last seven days.") spentLastWeek!: Money;
  @Exact(
    "Days until what is available is spent, at the mean of the last seven days; null when nothing was spent in them.",
    {
      nullable: true,
    },
  )
  runwayDays!: string | null;
}

@View("ServicingFee", "What servicing a facility cost in one month.")
export class ServicingFeeView {
  @Month("The month.") period!: string;
  @Of(() => Money, "Dollars drawn and outstanding, on average over the month.") averageDrawn!: Money;
  @Of(() => Money, "What was charged.") amount!: Money;
  @Instant("When it was charged.") chargedAt!: Date;
}

@View("CapitalPosition", "What a capital partner has at stake, over all its facilities.")
export class CapitalPositionView {
  @Whole("How many facilities these are.") facilities!: number;
  @Of(() => Money, "Dollars that can be drawn in all: the sum of the limits.") committed!: Money;
  @Of(() => Money, "Dollars drawn so far.") drawn!: Money;
  @Of(() => FacilityBalanceView, "Where its dollars and credits are.") balance!: FacilityBalanceView;
  @Of(() => FacilityOutlookView, "How long the credit will last.") outlook!: FacilityOutlookView;
  @Of(() => CoverageView, "What covers the credits, all together.") coverage!: CoverageView;
}

@View("CreditUse", "Credits that were spent on one thing.")
export class CreditUseView {
  @Text("GPU model, when told apart by it.", { nullable: true }) accelerator!: string | null;
  @Text("Region of the provider's endpoint, when told apart by it.", { nullable: true }) region!: string | null;
  @Text("Service level of the provider's endpoint, when told apart by it.", { nullable: true }) slaTier!: string | null;
  @Big("Requests that drew on the facilities.") requests!: string;
  @Of(() => Money, "Credits spent.") spent!: Money;
  @Exact("Of all that was spent, this share.") share!: string;
  startupId!: string | null;
}

@View("RedemptionPrice", "What an hour of a GPU costs in credits.")
export class RedemptionPriceView {
  @Text("GPU model.") accelerator!: string;
  @Text("Region.") region!: string;
  @Instant("The hour that the fixing holds for.") hour!: Date;
  @Of(() => Money, "The fixing, in dollars per GPU-hour.") fixing!: Money;
  @Exact("What the fixing is multiplied by.") redemptionFactor!: string;
  @Of(() => Money, "Credits per GPU-hour: fixing × redemption factor.") price!: Money;
}

@View("CapitalExport", "A table as a file.")
export class CapitalExportView {
  @Of(() => CapitalExportKind, "What it is.") kind!: CapitalExportKind;
  @Text("A name for the file.") fileName!: string;
  @Whole("How many rows it has, without its header.") rows!: number;
  @Text("The file: CSV by RFC 4180, UTF-8, a header first.") csv!: string;
}

export const CoverageAlertConnection = connectionOf<CoverageAlertView>("CoverageAlert", () => CoverageAlertView);
export const FacilityConnection = connectionOf<FacilityView>("Facility", () => FacilityView);
export const DrawdownConnection = connectionOf<DrawdownView>("Drawdown", () => DrawdownView);
export const CreditLotConnection = connectionOf<CreditLotView>("CreditLot", () => CreditLotView);
