/** Facilities, lots and balances as views. */
import type { CreditLot } from "../../../entities/credit-lot";
import type { Drawdown } from "../../../entities/drawdown";
import type { Facility } from "../../../entities/facility";
import { encodeId } from "../../../schema/node";
import type {
  CreditBalanceView,
  CreditLotView,
  DrawdownView,
  FacilityBalanceView,
  FacilityView,
} from "../../../schema/views/funding.view";
import type { CreditBalance, FacilityBalance } from "../../ledger/ledger";
import { mulDivDown, PPM } from "../../money/nano";
import { credits, ratio, usd } from "./money";

export const facilityView = (row: Facility): FacilityView => ({
  id: encodeId("Facility", row.id),
  facilityId: row.id,
  capitalPartnerId: row.capitalPartnerId,
  name: row.name,
  limit: usd(row.limitNanoUsd),
  drawn: usd(row.drawnNanoUsd),
  multiplier: ratio(row.multiplierPpm),
  originationFee: ratio(row.originationFeePpm),
  servicingFee: ratio(row.servicingFeePpm),
  tenorDays: row.tenorDays,
  coverageFloor: ratio(row.coverageFloorPpm),
  startupLimit: ratio(row.startupLimitPpm),
  state: row.state,
  openedAt: row.openedAt,
  closedAt: row.closedAt,
  version: row.version,
});

export const creditLotView = (row: CreditLot): CreditLotView => ({
  id: encodeId("CreditLot", row.id),
  accountId: row.accountId,
  drawdownId: row.drawdownId,
  facilityId: row.facilityId,
  startupId: row.startupId,
  issuedNanoCredit: row.issuedNanoCredit,
  issued: credits(row.issuedNanoCredit),
  multiplier: ratio(row.multiplierPpm),
  priority: row.priority,
  expiresAt: row.expiresAt,
  accelerators: row.accelerators,
  workloads: row.workloads,
  issuedAt: row.issuedAt,
});

export const drawdownView = (row: Drawdown): DrawdownView => ({
  id: encodeId("Drawdown", row.id),
  facilityId: row.facilityId,
  startupId: row.startupId,
  funded: usd(row.fundedNanoUsd),
  originationFee: usd(row.originationFeeNanoUsd),
  net: usd(row.fundedNanoUsd - row.originationFeeNanoUsd),
  drawnAt: row.drawnAt,
});

const parts = (balance: Omit<CreditBalance, "asOf">) => ({
  issued: credits(balance.issuedNanoCredit),
  available: credits(balance.availableNanoCredit),
  held: credits(balance.heldNanoCredit),
  blocked: credits(balance.blockedNanoCredit),
  spent: credits(balance.spentNanoCredit),
  expired: credits(balance.expiredNanoCredit),
  assigned: credits(balance.assignedNanoCredit),
});

export const creditBalanceView = (balance: CreditBalance): CreditBalanceView => ({
  ...parts(balance),
  asOf: balance.asOf,
});

export const facilityBalanceView = (balance: FacilityBalance): FacilityBalanceView => ({
  funded: usd(balance.fundedNanoUsd),
  backing: usd(balance.backingNanoUsd),
  ...parts(balance),
});

/** Dollars behind one credit when it was issued, to a millionth. */
export const costBasisOf = (drawdown: Drawdown, issuedNanoCredit: bigint): string =>
  ratio(mulDivDown(drawdown.fundedNanoUsd - drawdown.originationFeeNanoUsd, PPM, issuedNanoCredit));
