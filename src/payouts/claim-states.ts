/** The life of a provider's claim as a table; migration 0020 moves it along these lines and no others. */
import type { ClaimState } from "../../schema/enums";
import { DomainError } from "../platform/errors";

export const claimMoves: Readonly<Record<ClaimState, readonly ClaimState[]>> = {
  SUBMITTED: ["PAID", "REJECTED"],
  PAID: [],
  REJECTED: [],
};

/** Errors: STATE_CONFLICT. */
export function checkClaimMove(from: ClaimState, to: ClaimState): void {
  if (claimMoves[from].includes(to)) return;
  throw new DomainError("STATE_CONFLICT", `The claim is ${from}: it has been decided.`);
}
