/** A statement goes from draft to final by one way, and back only while it is under review. */
import type { StatementState } from "../../schema/enums";
import { nextState, type StatementAct } from "../../src/statements/statement-states";

const allowed: Readonly<Record<string, StatementState>> = {
  "DRAFT OPEN_REVIEW": "IN_REVIEW",
  "IN_REVIEW APPROVE": "IN_REVIEW",
  "IN_REVIEW DISPUTE": "DISPUTED",
  "IN_REVIEW FINALISE": "FINAL",
  "DISPUTED DISPUTE": "DISPUTED",
  "DISPUTED ANSWER": "DISPUTED",
  "DISPUTED ANSWER_LAST": "IN_REVIEW",
};
const states = ["DRAFT", "IN_REVIEW", "DISPUTED", "FINAL"] as const satisfies readonly StatementState[];
const acts = [
  "OPEN_REVIEW",
  "APPROVE",
  "DISPUTE",
  "ANSWER",
  "ANSWER_LAST",
  "FINALISE",
] as const satisfies readonly StatementAct[];

test.each(states.flatMap((state) => acts.map((act) => [state, act] as const)))("%s and %s", (state, act) => {
  const next = allowed[`${state} ${act}`];
  if (next !== undefined) expect(nextState(state, act)).toBe(next);
  else expect(() => nextState(state, act)).toThrow(`The statement is ${state}.`);
});

test("nothing leads out of FINAL", () => {
  expect(acts.filter((act) => allowed[`FINAL ${act}`])).toEqual([]);
});
