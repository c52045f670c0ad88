/** Accruals, payouts and bank accounts as views. */
import type { Payout } from "../../../entities/payout";
import type { PayoutAttempt } from "../../../entities/payout-attempt";
import { encodeId } from "../../../schema/node";
import type {
  AccrualView,
  PayoutAccountView,
  PayoutAttemptView,
  PayoutRunView,
  PayoutView,
} from "../../../schema/views/payouts.view";
import type { Accrual } from "../../payouts/accruals";
import type { ShownAccount } from "../../payouts/payout-accounts";
import type { RunSummary } from "../../payouts/payouts";
import { gpuSeconds, usd } from "./money";

/** A provider has one accrual a month, so these two are its identity. */
const keyOf = (row: Accrual): string => `${row.providerId}.${row.period}`;

export const accrualOfKey = (key: string): { providerId: string; period: string } => ({
  providerId: key.slice(0, key.indexOf(".")),
  period: key.slice(key.indexOf(".") + 1),
});

export const accrualView = (row: Accrual): AccrualView => ({
  id: encodeId("Accrual", keyOf(row)),
  providerId: row.providerId,
  period: row.period,
  accrued: usd(row.accruedNanoUsd),
  requests: row.requests,
  gpuSeconds: gpuSeconds(row.gpuNanos),
  dueAt: row.dueAt,
});

export const payoutView = (row: Payout): PayoutView => ({
  id: encodeId("Payout", row.id),
  payoutId: row.id,
  providerId: row.providerId,
  statementId: row.statementId,
  period: row.period,
  state: row.state,
  amount: usd(row.amountNanoUsd),
  carriedIn: usd(row.carriedInNanoUsd),
  leftOver: usd(row.remainderNanoUsd),
  dueAt: row.dueAt,
  scheduledAt: row.scheduledAt,
  frozenReason: row.frozenReason,
  version: row.version,
});

export const payoutAttemptView = (row: PayoutAttempt): PayoutAttemptView => ({
  number: row.number,
  state: row.state,
  rail: row.rail,
  reference: row.reference,
  submittedAt: row.submittedAt,
  acceptedAt: row.acceptedAt,
  inTransitAt: row.inTransitAt,
  settledAt: row.settledAt,
  returnedAt: row.returnedAt,
  returnCode: row.returnCode,
  returnReason: row.returnReason,
  accountId: row.accountId,
});

export const payoutAccountView = (row: ShownAccount): PayoutAccountView => ({
  id: encodeId("PayoutAccount", row.id),
  providerId: row.providerId,
  state: row.state,
  holder: row.holder,
  maskedIban: `${row.country}•• •••• ${row.ibanEnd}`,
  bic: row.bic,
  country: row.country,
  proposedAt: row.proposedAt,
  confirmedAt: row.confirmedAt,
  usableFrom: row.usableFrom,
  cancelledAt: row.cancelledAt,
  version: row.version,
});

export const payoutRunView = ({ submitted, amountNanoUsd }: RunSummary): PayoutRunView => ({
  submitted,
  amount: usd(amountNanoUsd),
});
