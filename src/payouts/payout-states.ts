/** How a payout may stand after how, and what moves in the ledger with it. Words of a bank only ever lead onwards, whatever their order. */
import type { TransferCode } from "../../entities/transfer";
import type { PayoutState } from "../../schema/enums";

/** RETURNED → SCHEDULED is another attempt; SETTLED → RETURNED happens: banks take days to notice a closed account. */
export const nextPayoutStates: Readonly<Record<PayoutState, readonly PayoutState[]>> = {
  SCHEDULED: ["SUBMITTED"],
  SUBMITTED: ["IN_TRANSIT", "SETTLED", "RETURNED"],
  IN_TRANSIT: ["SETTLED", "RETURNED"],
  SETTLED: ["RETURNED"],
  RETURNED: ["SCHEDULED"],
  CARRIED: [],
};

/** States of one attempt, from when it was handed over. */
export type AttemptState = "SUBMITTED" | "IN_TRANSIT" | "SETTLED" | "RETURNED";

/** A later word, or null for one that says nothing new: a duplicate, or one that was overtaken. */
export function advanced(from: AttemptState, word: AttemptState): AttemptState | null {
  return from !== word && nextPayoutStates[from].includes(word) ? word : null;
}

export interface Movement {
  readonly code: TransferCode;
  readonly debit: string;
  readonly credit: string;
}

const IN_TRANSIT = "payout:in-transit";
const CASH = "cash:trust";

/** What a change of an attempt's state books; null when no money moves with it. */
export function movementOf(statementId: string, from: AttemptState | "SCHEDULED", to: AttemptState): Movement | null {
  const owed = `statement:${statementId}`;
  if (to === "SUBMITTED") return { code: "PAYOUT", debit: owed, credit: IN_TRANSIT };
  if (to === "SETTLED") return { code: "PAYOUT_SETTLED", debit: IN_TRANSIT, credit: CASH };
  if (to !== "RETURNED") return null;
  return { code: "PAYOUT_RETURNED", debit: from === "SETTLED" ? CASH : IN_TRANSIT, credit: owed };
}
