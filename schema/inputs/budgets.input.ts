/** What can be asked of projects and budgets. */
import { BudgetPeriod } from "../enums";
import { Exact, Flag, GlobalId, Input, ListOf, Of, OneOf, Text, Whole } from "../fields";
import { Decimal } from "../scalars";

@Input("ProjectCreateInput", "A new project.")
export class ProjectCreateInput {
  @GlobalId("The startup; your own when left out.", { nullable: true }) startupId?: string | null;
  @Text("Its name, 1 to 120 characters.") name!: string;
}

@Input("ProjectRenameInput", "What a project is called from now on.")
export class ProjectRenameInput {
  @GlobalId("The project.") id!: string;
  @Text("Its name, 1 to 120 characters.") name!: string;
  @Whole("Only if its version is still this one.", { nullable: true }) expectedVersion?: number | null;
}

@Input("ProjectArchiveInput", "A project in which no key works any more.")
export class ProjectArchiveInput {
  @GlobalId("The project.") id!: string;
  @Whole("Only if its version is still this one.", { nullable: true }) expectedVersion?: number | null;
}

@Input("ApiKeyMoveInput", "Which project an API key belongs to from now on.")
export class ApiKeyMoveInput {
  @GlobalId("The key.") id!: string;
  @GlobalId("The project; none when left out.", { nullable: true }) projectId?: string | null;
  @Whole("Only if its version is still this one.", { nullable: true }) expectedVersion?: number | null;
}

@OneOf("BudgetOwner", "What the budget is over: one of these.")
export class BudgetOwner {
  @GlobalId("An API key, and every key that replaces it.", { nullable: true }) apiKeyId?: string | null;
  @GlobalId("All keys of a project.", { nullable: true }) projectId?: string | null;
}

@Input("BudgetCreateInput", "A new budget.")
export class BudgetCreateInput {
  @Of(() => BudgetOwner, "What it is over; there can be one budget over each.") owner!: BudgetOwner;
  @Exact("Credits that may be spent in the period, above zero.") amount!: string;
  @Of(() => BudgetPeriod, "How long it lasts.") period!: BudgetPeriod;
  @Flag("Whether it refuses requests that it does not cover; otherwise it only counts and tells.") hardStop!: boolean;
  @ListOf(() => Decimal, "Shares of the amount at which an alert is raised, e.g. `0.8`; 0.8 and 0.95 when left out.", {
    nullable: true,
  })
  thresholds?: string[] | null;
}

@Input("BudgetChangeInput", "What is different about a budget; what is left out stays.")
export class BudgetChangeInput {
  @GlobalId("The budget.") id!: string;
  @Exact("Credits that may be spent in the period, above zero.", { nullable: true }) amount?: string | null;
  @Flag("Whether it refuses requests that it does not cover.", { nullable: true }) hardStop?: boolean | null;
  @ListOf(() => Decimal, "Shares of the amount at which an alert is raised.", { nullable: true })
  thresholds?: string[] | null;
  @Whole("Only if its version is still this one.", { nullable: true }) expectedVersion?: number | null;
}

@Input("BudgetRemoveInput", "Which budget to remove.")
export class BudgetRemoveInput {
  @GlobalId("The budget.") id!: string;
  @Whole("Only if its version is still this one.", { nullable: true }) expectedVersion?: number | null;
}

@Input("ProjectFilter", "Which projects.")
export class ProjectFilter {
  @GlobalId("Of this startup.", { nullable: true }) startupId?: string | null;
}

@Input("BudgetFilter", "Which budgets.")
export class BudgetFilter {
  @GlobalId("Of this startup.", { nullable: true }) startupId?: string | null;
  @GlobalId("Over this API key itself.", { nullable: true }) apiKeyId?: string | null;
  @GlobalId("Over this project.", { nullable: true }) projectId?: string | null;
}

@Input("BudgetAlertFilter", "Which alerts.")
export class BudgetAlertFilter {
  @GlobalId("Of this startup.", { nullable: true }) startupId?: string | null;
  @GlobalId("Of this budget.", { nullable: true }) budgetId?: string | null;
}
