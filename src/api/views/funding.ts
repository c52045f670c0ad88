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
import { credits, ratio, usd } from "./money";

export const facilityView = (row: Facility): FacilityView => ({
  id: encodeId("Facility", row.id),
  facilityId: row.id,
  capitalPartnerId: row.capitalPartnerId,
  name: row.name,
  limit: usd(row.limitNanoUsd),
  drawn: usd(row.drawnNanoUsd),
  multiplier: ratio(row.multiplierPpm),
  state: row.state,
  openedAt: row.openedAt,
  version: row.version,
});

export const creditLotView = (row: CreditLot): CreditLotView => ({
  id: encodeId("CreditLot", row.id),
  accountId: row.accountId,
  facilityId: row.facilityId,
  startupId: row.startupId,
  issued: credits(row.issuedNanoCredit),
  multiplier: ratio(row.multiplierPpm),
  issuedAt: row.issuedAt,
});

export const drawdownView = (row: Drawdown): DrawdownView => ({
  id: encodeId("Drawdown", row.id),
  facilityId: row.facilityId,
  startupId: row.startupId,
  funded: usd(row.fundedNanoUsd),
  drawnAt: row.drawnAt,
});

export const creditBalanceView = (balance: CreditBalance): CreditBalanceView => ({
  issued: credits(balance.issuedNanoCredit),
  available: credits(balance.availableNanoCredit),
  held: credits(balance.heldNanoCredit),
  spent: credits(balance.spentNanoCredit),
  asOf: balance.asOf,
});

export const facilityBalanceView = (balance: FacilityBalance): FacilityBalanceView => ({
  funded: usd(balance.fundedNanoUsd),
  backing: usd(balance.backingNanoUsd),
  issued: credits(balance.issuedNanoCredit),
  held: credits(balance.heldNanoCredit),
  spent: credits(balance.spentNanoCredit),
});
