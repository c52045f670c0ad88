/** What lenders have at stake as views: coverage, outlook, use of credit, alerts. */
import type { CoverageAlert } from "../../../entities/coverage-alert";
import type { ServicingFee } from "../../../entities/servicing-fee";
import type { CapitalExportKind } from "../../../schema/enums";
import { encodeId } from "../../../schema/node";
import type {
  CapitalExportView,
  CapitalPositionView,
  CoverageAlertView,
  CoverageView,
  CreditUseView,
  FacilityOutlookView,
  RedemptionPriceView,
  ServicingFeeView,
} from "../../../schema/views/funding.view";
import type { CapitalExport } from "../../funding/capital-export";
import type { UseOfCredit } from "../../funding/credit-use";
import type { CapitalPosition, Coverage } from "../../funding/exposure";
import type { Outlook } from "../../funding/outlook";
import type { RedemptionPrice } from "../../funding/redemption";
import { formatNano, mulDivDown, NANO, PPM } from "../../money/nano";
import { facilityBalanceView } from "./funding";
import { credits, ratio, usd } from "./money";

export const coverageView = (coverage: Coverage): CoverageView => ({
  facilityId: coverage.facilityId,
  ratio: coverage.ratioPpm === null ? null : ratio(coverage.ratioPpm),
  floor: ratio(coverage.floorPpm),
  covered: coverage.covered,
  backing: usd(coverage.backingNanoUsd),
  outstanding: credits(coverage.outstandingNanoCredit),
  worstCostPerCredit: ratio(coverage.worstCostPpm),
  asOf: coverage.asOf,
});

export const coverageAlertView = (row: CoverageAlert): CoverageAlertView => ({
  id: encodeId("CoverageAlert", row.id),
  facilityId: row.facilityId,
  ratio: ratio(row.ratioPpm),
  floor: ratio(row.floorPpm),
  backing: usd(row.backingNanoUsd),
  outstanding: credits(row.outstandingNanoCredit),
  worstCostPerCredit: ratio(row.worstCostPpm),
  openedAt: row.openedAt,
  closedAt: row.closedAt,
  open: row.closedAt === null,
});

export const outlookView = (outlook: Outlook): FacilityOutlookView => ({
  expiring: credits(outlook.expiringNanoCredit),
  spentLastWeek: credits(outlook.spentLastWeekNanoCredit),
  runwayDays: outlook.runwayTenthDays === null ? null : formatNano((outlook.runwayTenthDays * NANO) / 10n),
});

export const servicingFeeView = (row: ServicingFee): ServicingFeeView => ({
  period: row.period,
  averageDrawn: usd(row.drawnNanoUsd),
  amount: usd(row.amountNanoUsd),
  chargedAt: row.chargedAt,
});

export const capitalPositionView = (position: CapitalPosition): CapitalPositionView => ({
  facilities: position.facilities,
  committed: usd(position.limitNanoUsd),
  drawn: usd(position.drawnNanoUsd),
  balance: facilityBalanceView(position),
  outlook: outlookView(position),
  coverage: coverageView(position.coverage),
});

/** Shares are of what is listed here, cut to a millionth. */
export function creditUseViews(uses: readonly UseOfCredit[]): CreditUseView[] {
  const total = uses.reduce((sum, { spentNanoCredit }) => sum + spentNanoCredit, 0n);
  return uses.map((use) => ({
    startupId: use.startupId,
    accelerator: use.accelerator,
    region: use.region,
    slaTier: use.slaTier,
    requests: use.requests.toString(),
    spent: credits(use.spentNanoCredit),
    share: ratio(mulDivDown(use.spentNanoCredit, PPM, total)),
  }));
}

export const redemptionPriceView = (price: RedemptionPrice): RedemptionPriceView => ({
  accelerator: price.accelerator,
  region: price.region,
  hour: price.hour,
  fixing: usd(price.fixingNanoUsd),
  redemptionFactor: ratio(price.redemptionFactorPpm),
  price: credits(price.priceNanoCredit),
});

export const capitalExportView = (kind: CapitalExportKind, file: CapitalExport): CapitalExportView => ({
  kind,
  ...file,
});
