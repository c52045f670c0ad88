/** What a budget may look like, and what is left of one. Pure. */
import { z } from "zod";
import type { Budget } from "../../entities/budget";
import { DomainError } from "../platform/errors";
import { checked } from "../platform/input";
import { endOf, periodAt } from "./budget-period";

/** 80 and 95 %; the whole of it is told besides. */
export const THRESHOLDS_PPM: readonly number[] = [800_000, 950_000];
const THRESHOLDS_MAX = 8;

const thresholds = z.object({
  thresholds: z.array(z.int().min(1).max(999_999)).max(THRESHOLDS_MAX),
});

/** Ascending, each once. Errors: BAD_USER_INPUT. */
export function thresholdsOf(ppm: readonly bigint[] | null | undefined): number[] {
  if (ppm == null) return [...THRESHOLDS_PPM];
  const asked = checked(thresholds, { thresholds: ppm.map(Number) });
  return [...new Set(asked.thresholds)].sort((a, b) => a - b);
}

/** Errors: BAD_USER_INPUT. */
export function checkAmount(nanoCredit: bigint): bigint {
  if (nanoCredit > 0n) return nanoCredit;
  throw new DomainError("BAD_USER_INPUT", "amount: must be above zero", { field: "amount" });
}

/** What counts against a budget in its period; nothing yet, where nothing was held in it. */
export interface Counted {
  readonly spentNanoCredit: bigint;
  /** By open holds, and lent to relays. */
  readonly heldNanoCredit: bigint;
}

export interface BudgetFigures extends Counted {
  /** `YYYY-MM` or `TOTAL`. */
  readonly period: string;
  /** Never below zero: what is over a lowered limit is nobody's debt. */
  readonly remainingNanoCredit: bigint;
  readonly resetsAt: Date | null;
}

export function figuresOf(
  budget: Pick<Budget, "period" | "amountNanoCredit">,
  counted: Counted,
  at: Date,
): BudgetFigures {
  const { spentNanoCredit, heldNanoCredit } = counted;
  const left = budget.amountNanoCredit - spentNanoCredit - heldNanoCredit;
  const period = periodAt(budget.period, at);
  return {
    period,
    spentNanoCredit,
    heldNanoCredit,
    remainingNanoCredit: left > 0n ? left : 0n,
    resetsAt: endOf(period),
  };
}
