/** How a statement may move on, and by what. */
import type { StatementState } from "../../schema/enums";
import { DomainError } from "../platform/errors";

export type StatementAct = "OPEN_REVIEW" | "APPROVE" | "DISPUTE" | "ANSWER" | "ANSWER_LAST" | "FINALISE";

const moves: Readonly<Record<StatementState, Partial<Record<StatementAct, StatementState>>>> = {
  DRAFT: { OPEN_REVIEW: "IN_REVIEW" },
  IN_REVIEW: { APPROVE: "IN_REVIEW", DISPUTE: "DISPUTED", FINALISE: "FINAL" },
  // Another line may be objected to while one is; only the last answer opens the way again.
  DISPUTED: { DISPUTE: "DISPUTED", ANSWER: "DISPUTED", ANSWER_LAST: "IN_REVIEW" },
  FINAL: {},
};

/** Errors: STATE_CONFLICT. */
export function nextState(state: StatementState, act: StatementAct): StatementState {
  const next = moves[state][act];
  if (next !== undefined) return next;
  throw new DomainError("STATE_CONFLICT", `The statement is ${state}.`);
}
