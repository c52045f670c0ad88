/** Projects, budgets and their alerts as views. */
import type { Budget } from "../../../entities/budget";
import type { BudgetAlert } from "../../../entities/budget-alert";
import type { Project } from "../../../entities/project";
import { encodeId } from "../../../schema/node";
import type { BudgetAlertView, BudgetStandingView, BudgetView, ProjectView } from "../../../schema/views/budgets.view";
import type { BudgetFigures } from "../../metering/budget-rules";
import { credits, ratio } from "./money";

export const projectView = (row: Project): ProjectView => ({
  id: encodeId("Project", row.id),
  projectId: row.id,
  startupId: row.startupId,
  name: row.name,
  createdAt: row.createdAt,
  archivedAt: row.archivedAt,
  version: row.version,
});

export const budgetView = (row: Budget): BudgetView => ({
  id: encodeId("Budget", row.id),
  budgetId: row.id,
  apiKeyId: row.apiKeyId,
  projectId: row.projectId,
  period: row.period,
  limit: credits(row.amountNanoCredit),
  hardStop: row.hardStop,
  thresholds: row.thresholdsPpm.map(ratio),
  createdAt: row.createdAt,
  removedAt: row.removedAt,
  version: row.version,
});

export const budgetStandingView = (figures: BudgetFigures): BudgetStandingView => ({
  period: figures.period,
  spent: credits(figures.spentNanoCredit),
  held: credits(figures.heldNanoCredit),
  remaining: credits(figures.remainingNanoCredit),
  resetsAt: figures.resetsAt,
});

export const budgetAlertView = (row: BudgetAlert): BudgetAlertView => ({
  id: encodeId("BudgetAlert", row.id),
  budgetId: row.budgetId,
  period: row.period,
  threshold: ratio(row.thresholdPpm),
  limit: credits(row.limitNanoCredit),
  spent: credits(row.spentNanoCredit),
  at: row.at,
});
