/** What the database keeps of budgets, in statements: told of acts in their transaction, asked for figures and alerts. */
import type { EntityManager } from "typeorm";
import { BudgetAlert } from "../../entities/budget-alert";
import type { BudgetPeriod } from "../../schema/enums";
import type { Database } from "../platform/database";
import { readRows } from "../platform/rows";
import { periodAt } from "./budget-period";
import { type BudgetFigures, figuresOf } from "./budget-rules";

/** From the commit of `tx` on, the ledger goes by the budgets as they are now. `moved`: what keys are under is another. */
export async function budgetsChanged(
  tx: EntityManager,
  startupId: string,
  act: { id: string; at: Date; moved: boolean },
): Promise<void> {
  await tx.query("SELECT budgets_changed($1, $2, $3, $4)", [startupId, act.moved, act.id, act.at]);
}

interface CountedRow {
  id: string;
  period: BudgetPeriod;
  amount: string;
  spent: string;
  held: string;
}

const countedStatement = {
  name: "metering-budget-counted",
  text: `SELECT b.id, b.period, b.amount_nano_credit AS amount, coalesce(p.spent_nano_credit, 0) AS spent,
                coalesce(p.held_nano_credit + p.leased_nano_credit, 0) AS held
           FROM budget b
           LEFT JOIN budget_period p ON p.budget_id = b.id AND p.period = CASE b.period WHEN 'MONTH' THEN $2 ELSE 'TOTAL' END
          WHERE b.id = ANY ($1)`,
};

/** By budget, in the period of this instant. */
export async function budgetFigures(
  db: Database,
  ids: readonly string[],
  at: Date,
): Promise<Map<string, BudgetFigures>> {
  const rows = await db.query<CountedRow>(countedStatement, [ids, periodAt("MONTH", at)]);
  return new Map(
    rows.map(({ id, period, amount, spent, held }) => {
      const counted = { spentNanoCredit: BigInt(spent), heldNanoCredit: BigInt(held) };
      return [id, figuresOf({ period, amountNanoCredit: BigInt(amount) }, counted, at)];
    }),
  );
}

/** Of the periods of this instant, oldest first; null: of all startups. */
export function standingAlerts(db: Database, startupId: string | null, at: Date): Promise<BudgetAlert[]> {
  const own = startupId === null ? "" : "AND startup_id = $2";
  return readRows(db, BudgetAlert, `WHERE period IN ('TOTAL', $1) ${own} ORDER BY id`, [
    periodAt("MONTH", at),
    ...(startupId === null ? [] : [startupId]),
  ]);
}
