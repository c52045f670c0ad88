/** The periods that budgets are counted in, as the ledger names them. Pure. */
import type { BudgetPeriod } from "../../schema/enums";

/** `YYYY-MM`, UTC, or `TOTAL`. */
export function periodAt(period: BudgetPeriod, at: Date): string {
  return period === "MONTH" ? at.toISOString().slice(0, 7) : "TOTAL";
}

/** When a period ends and the next one begins with nothing spent; null for one that does not end. */
export function endOf(period: string): Date | null {
  if (period === "TOTAL") return null;
  const [year, month] = period.split("-").map(Number);
  return new Date(Date.UTC(year!, month!, 1));
}
