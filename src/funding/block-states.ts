/** The life of a block as a table; migration 0020 moves it along these lines and no others. */
import type { BlockReason, BlockState } from "../../schema/enums";
import { DomainError } from "../platform/errors";

export const blockMoves: Readonly<Record<BlockState, readonly BlockState[]>> = {
  PLACING: ["ACTIVE", "REFUSED", "LIFTED"],
  ACTIVE: ["LIFTED", "ASSIGNED"],
  REFUSED: [],
  LIFTED: [],
  ASSIGNED: [],
};

/** Against lending more, and in the way of what is there. */
export const standingStates = ["PLACING", "ACTIVE"] as const satisfies readonly BlockState[];

/** Errors: STATE_CONFLICT. */
export function checkBlockMove(from: BlockState, to: BlockState): void {
  if (blockMoves[from].includes(to)) return;
  const choices = blockMoves[from].join(", ") || "nowhere";
  throw new DomainError(
    "STATE_CONFLICT",
    `The block is ${from} and cannot become ${to}; from here it can go to: ${choices}.`,
  );
}

/** Only what is blocked whole, for a default, goes to the lender. Errors: STATE_CONFLICT. */
export function checkAssignable(block: {
  readonly state: BlockState;
  readonly reason: BlockReason;
  readonly amountNanoCredit: bigint | null;
}): void {
  checkBlockMove(block.state, "ASSIGNED");
  if (block.reason !== "DEFAULT") {
    throw new DomainError(
      "STATE_CONFLICT",
      `Credit is assigned after a DEFAULT; this is blocked for ${block.reason}. Place a block for DEFAULT beside it.`,
    );
  }
  if (block.amountNanoCredit !== null) {
    throw new DomainError(
      "STATE_CONFLICT",
      "Only a block of everything can be assigned. Place one without an amount beside it.",
    );
  }
}
