/** What the mutations of projects and budgets answer. */
import { payload } from "../user-error";
import { ApiKeyView } from "../views/accounts.view";
import { BudgetView, ProjectView } from "../views/budgets.view";

export const ProjectCreate = payload<{ project?: ProjectView }>(
  "ProjectCreate",
  { project: [() => ProjectView, "The new project."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "ALREADY_EXISTS"],
);

export const ProjectRename = payload<{ project?: ProjectView }>(
  "ProjectRename",
  { project: [() => ProjectView, "The project under its new name."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "ALREADY_EXISTS", "VERSION_CONFLICT"],
);

export const ProjectArchive = payload<{ project?: ProjectView }>(
  "ProjectArchive",
  { project: [() => ProjectView, "The archived project."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT", "VERSION_CONFLICT"],
);

export const ApiKeyMove = payload<{ apiKey?: ApiKeyView }>(
  "ApiKeyMove",
  { apiKey: [() => ApiKeyView, "The key where it is now; its next request counts against the budget there."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT", "VERSION_CONFLICT"],
);

export const BudgetCreate = payload<{ budget?: BudgetView }>(
  "BudgetCreate",
  { budget: [() => BudgetView, "The new budget: every request that is admitted from now on counts against it."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "ALREADY_EXISTS"],
);

export const BudgetChange = payload<{ budget?: BudgetView }>(
  "BudgetChange",
  { budget: [() => BudgetView, "The budget on its new terms, which hold on every relay."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "VERSION_CONFLICT"],
);

export const BudgetRemove = payload<{ budget?: BudgetView }>(
  "BudgetRemove",
  { budget: [() => BudgetView, "The removed budget, for which nothing is refused any more."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "VERSION_CONFLICT"],
);
