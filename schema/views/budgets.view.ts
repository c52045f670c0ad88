/** What API keys and projects may spend: projects, budgets, and alerts when one is nearly spent. */
import { BudgetAlertChange, BudgetPeriod } from "../enums";
import { Exact, Flag, Instant, ListOf, Of, Text, View, Whole } from "../fields";
import { Money } from "../money";
import { Node } from "../node";
import { connectionOf } from "../page";
import { Decimal } from "../scalars";
import { streamMessage } from "../stream";

@View("Project", "API keys of a startup that belong together.", { implements: [Node] })
export class ProjectView extends Node {
  @Text("Its name; no other project of the startup that is in use has it.") name!: string;
  @Instant("When it was created.") createdAt!: Date;
  @Instant("When it was archived; null while it is in use.", { nullable: true }) archivedAt!: Date | null;
  @Whole("Counts its changes; pass it as expectedVersion to change only what you have read.") version!: number;
  projectId!: string;
  startupId!: string;
}

@View("Budget", "What the requests of an API key, or of all keys of a project, may cost.", { implements: [Node] })
export class BudgetView extends Node {
  @Of(() => BudgetPeriod, "How long it lasts.") period!: BudgetPeriod;
  @Of(() => Money, "Credits that may be spent in the period.") limit!: Money;
  @Flag("Whether it refuses requests that it does not cover; otherwise it only counts and tells.") hardStop!: boolean;
  @ListOf(() => Decimal, "Shares of the limit at which an alert is raised; one is raised at all of it besides.")
  thresholds!: readonly string[];
  @Instant("When it was set: what was held before does not count.") createdAt!: Date;
  @Instant("When it was removed; null while it stands.", { nullable: true }) removedAt!: Date | null;
  @Whole("Counts its changes; pass it as expectedVersion to change only what you have read.") version!: number;
  budgetId!: string;
  apiKeyId!: string | null;
  projectId!: string | null;
}

@View("BudgetStanding", "What counts against a budget in the period that runs.")
export class BudgetStandingView {
  @Text("The period: a month as `YYYY-MM`, UTC, or `TOTAL`.") period!: string;
  @Of(() => Money, "Credits charged.") spent!: Money;
  @Of(() => Money, "Credits set aside for requests that run, and lent to relays for those to come.") held!: Money;
  @Of(() => Money, "Credits that are left; never below zero.") remaining!: Money;
  @Instant("When the period ends and the next one begins with nothing spent; null when it does not end.", {
    nullable: true,
  })
  resetsAt!: Date | null;
}

@View("BudgetAlert", "That a budget was spent up to a threshold; once per budget, period and threshold.", {
  implements: [Node],
})
export class BudgetAlertView extends Node {
  @Text("The period: a month as `YYYY-MM`, UTC, or `TOTAL`.") period!: string;
  @Exact("The share of the limit, e.g. `0.8`; `1` is all of it.") threshold!: string;
  @Of(() => Money, "The limit then.") limit!: Money;
  @Of(() => Money, "Credits charged by then.") spent!: Money;
  @Instant("When.") at!: Date;
  budgetId!: string;
}

@View("BudgetAlertEvent", "One alert.")
export class BudgetAlertEventView {
  @Text("Pass it as `after` to go on behind this message.") cursor!: string;
  @Of(() => BudgetAlertChange, "What happened.") change!: BudgetAlertChange;
  @Of(() => BudgetAlertView, "The alert.") node!: BudgetAlertView;
}

export const BudgetAlertMessage = streamMessage(
  "BudgetAlertMessage",
  "A message of the stream of budget alerts.",
  () => BudgetAlertEventView,
);

export const ProjectConnection = connectionOf<ProjectView>("Project", () => ProjectView);
export const BudgetConnection = connectionOf<BudgetView>("Budget", () => BudgetView);
export const BudgetAlertConnection = connectionOf<BudgetAlertView>("BudgetAlert", () => BudgetAlertView);
