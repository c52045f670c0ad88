/** Why credit was not set aside, as an error that says what there is: of the wallet, or of a budget. */
import { encodeId } from "../../schema/node";
import { DomainError } from "../platform/errors";
import { endOf } from "./budget-period";
import type { ExceededBudget, HoldResult } from "./commit-items";

export function refusal(result: HoldResult, neededNanoCredit: bigint): DomainError {
  const details = { availableNanoCredit: BigInt(result.available ?? 0), neededNanoCredit };
  return result.budget == null
    ? new DomainError("INSUFFICIENT_CREDITS", "The credit that is left does not cover this request.", { details })
    : budgetExceeded(result.budget, details);
}

function budgetExceeded(budget: ExceededBudget, details: Record<string, bigint>): DomainError {
  const owner = budget.of === "PROJECT" ? "project" : "API key";
  const span = budget.period === "TOTAL" ? "" : ` for ${budget.period}`;
  const message = `What is left of the budget of the ${owner} "${budget.name}"${span} does not cover this request.`;
  return new DomainError("BUDGET_EXCEEDED", message, {
    details: {
      ...details,
      budget: encodeId("Budget", budget.id),
      budgetOf: budget.of,
      budgetName: budget.name,
      limitNanoCredit: BigInt(budget.limit),
      spentNanoCredit: BigInt(budget.spent),
      heldNanoCredit: BigInt(budget.held),
      resetsAt: endOf(budget.period)?.toISOString() ?? null,
    },
  });
}
