/** Projects of API keys, the budgets of both, and alerts when one is nearly spent. */
import { Args, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from "type-graphql";
import { Filter, InputArg } from "../schema/fields";
import {
  ApiKeyMoveInput,
  BudgetAlertFilter,
  BudgetChangeInput,
  BudgetCreateInput,
  BudgetFilter,
  BudgetRemoveInput,
  ProjectArchiveInput,
  ProjectCreateInput,
  ProjectFilter,
  ProjectRenameInput,
} from "../schema/inputs/budgets.input";
import { PageArgs } from "../schema/page";
import {
  ApiKeyMove,
  BudgetChange,
  BudgetCreate,
  BudgetRemove,
  ProjectArchive,
  ProjectCreate,
  ProjectRename,
} from "../schema/payloads/budgets.payload";
import { ApiKeyView, StartupView } from "../schema/views/accounts.view";
import {
  BudgetAlertConnection,
  BudgetAlertView,
  BudgetConnection,
  BudgetStandingView,
  BudgetView,
  ProjectConnection,
  ProjectView,
} from "../schema/views/budgets.view";
import type { Context } from "../src/api/context";
import { optionalUuidOf, uuidOf } from "../src/api/node-ids";
import { answer } from "../src/api/user-errors";
import { apiKeyView, organisationView } from "../src/api/views/accounts";
import { budgetAlertView, budgetStandingView, budgetView, projectView } from "../src/api/views/budgets";
import { readNano, readPpm } from "../src/api/views/money";
import { connection } from "../src/api/views/page";

const sharesOf = (thresholds: readonly string[] | null | undefined) =>
  thresholds?.map((share, index) => readPpm(share, ["thresholds", String(index)]));

@Resolver()
export class BudgetsResolver {
  @Query(() => ProjectConnection, { description: "Projects: a startup's own, all for an operator." })
  async projects(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => ProjectFilter) filter: ProjectFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const startupId = optionalUuidOf(filter?.startupId, "Startup", "startupId");
    return connection(await services.accounts.projects.page(viewer, page, { startupId }), projectView);
  }

  @Query(() => BudgetConnection, { description: "Budgets that stand: a startup's own, all for an operator." })
  async budgets(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => BudgetFilter) filter: BudgetFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const asked = {
      startupId: optionalUuidOf(filter?.startupId, "Startup", "startupId"),
      apiKeyId: optionalUuidOf(filter?.apiKeyId, "ApiKey", "apiKeyId"),
      projectId: optionalUuidOf(filter?.projectId, "Project", "projectId"),
    };
    return connection(await services.budgets.page(viewer, page, asked), budgetView);
  }

  @Query(() => BudgetAlertConnection, {
    description: "Alerts about budgets that are nearly or wholly spent: a startup's own, all for an operator.",
  })
  async budgetAlerts(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => BudgetAlertFilter) filter: BudgetAlertFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const asked = {
      startupId: optionalUuidOf(filter?.startupId, "Startup", "startupId"),
      budgetId: optionalUuidOf(filter?.budgetId, "Budget", "budgetId"),
    };
    return connection(await services.budgets.alerts(viewer, page, asked), budgetAlertView);
  }

  @Mutation(() => ProjectCreate.type, { description: "Creates a project of API keys. For startups." })
  projectCreate(@InputArg(() => ProjectCreateInput) input: ProjectCreateInput, @Ctx() { services, viewer }: Context) {
    return answer(ProjectCreate, async () => {
      const startupId = optionalUuidOf(input.startupId, "Startup", "startupId") ?? viewer?.organisationId ?? "";
      return { project: projectView(await services.accounts.projects.create(viewer, { startupId, name: input.name })) };
    });
  }

  @Mutation(() => ProjectRename.type, { description: "Renames a project. For startups." })
  projectRename(@InputArg(() => ProjectRenameInput) input: ProjectRenameInput, @Ctx() { services, viewer }: Context) {
    return answer(ProjectRename, async () => {
      const id = uuidOf(input.id, "Project", "id");
      return { project: projectView(await services.accounts.projects.rename(viewer, { ...input, id })) };
    });
  }

  @Mutation(() => ProjectArchive.type, { description: "Archives a project in which no key works. For startups." })
  projectArchive(
    @InputArg(() => ProjectArchiveInput) input: ProjectArchiveInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return answer(ProjectArchive, async () => {
      const id = uuidOf(input.id, "Project", "id");
      return { project: projectView(await services.accounts.projects.archive(viewer, id, input.expectedVersion)) };
    });
  }

  @Mutation(() => ApiKeyMove.type, {
    description:
      "Moves an API key into a project, or out of any. What it has set aside for requests stays with the budget where it was. For startups.",
  })
  apiKeyMove(@InputArg(() => ApiKeyMoveInput) input: ApiKeyMoveInput, @Ctx() { services, viewer }: Context) {
    return answer(ApiKeyMove, async () => {
      const move = {
        id: uuidOf(input.id, "ApiKey", "id"),
        projectId: optionalUuidOf(input.projectId, "Project", "projectId"),
        expectedVersion: input.expectedVersion,
      };
      return { apiKey: apiKeyView(await services.budgets.moveApiKey(viewer, move)) };
    });
  }

  @Mutation(() => BudgetCreate.type, {
    description:
      "Sets a budget over an API key or a project. When it answers, every request that any relay admits counts against it. For startups.",
  })
  budgetCreate(@InputArg(() => BudgetCreateInput) input: BudgetCreateInput, @Ctx() { services, viewer }: Context) {
    return answer(BudgetCreate, async () => {
      const budget = {
        apiKeyId: optionalUuidOf(input.owner.apiKeyId, "ApiKey", "owner"),
        projectId: optionalUuidOf(input.owner.projectId, "Project", "owner"),
        amountNanoCredit: readNano(input.amount, "amount"),
        period: input.period,
        hardStop: input.hardStop,
        thresholdsPpm: sharesOf(input.thresholds),
      };
      return { budget: budgetView(await services.budgets.create(viewer, budget)) };
    });
  }

  @Mutation(() => BudgetChange.type, {
    description:
      "Changes a budget, at once on every relay. Below what is spent and held nothing new is admitted until enough is free. For startups.",
  })
  budgetChange(@InputArg(() => BudgetChangeInput) input: BudgetChangeInput, @Ctx() { services, viewer }: Context) {
    return answer(BudgetChange, async () => {
      const terms = {
        amountNanoCredit: input.amount == null ? null : readNano(input.amount, "amount"),
        hardStop: input.hardStop,
        thresholdsPpm: sharesOf(input.thresholds),
      };
      const id = uuidOf(input.id, "Budget", "id");
      return { budget: budgetView(await services.budgets.change(viewer, id, terms, input.expectedVersion)) };
    });
  }

  @Mutation(() => BudgetRemove.type, { description: "Removes a budget; its alerts stay. For startups." })
  budgetRemove(@InputArg(() => BudgetRemoveInput) input: BudgetRemoveInput, @Ctx() { services, viewer }: Context) {
    return answer(BudgetRemove, async () => {
      const id = uuidOf(input.id, "Budget", "id");
      return { budget: budgetView(await services.budgets.remove(viewer, id, input.expectedVersion)) };
    });
  }
}

const BUDGET = "The budget over it alone; null without one.";

@Resolver(() => ApiKeyView)
export class ApiKeyBudgetEdges {
  @FieldResolver(() => ProjectView, { nullable: true, description: "The project that it belongs to; null if none." })
  async project(@Root() { projectId }: ApiKeyView, @Ctx() { loaders }: Context) {
    return projectId && projectView(await loaders.projectById.load(projectId));
  }

  @FieldResolver(() => BudgetView, { nullable: true, description: BUDGET })
  async budget(@Root() { originId }: ApiKeyView, @Ctx() { loaders }: Context) {
    const [budget] = await loaders.budgetsByOwnerId.load(originId);
    return budget ? budgetView(budget) : null;
  }
}

@Resolver(() => ProjectView)
export class ProjectEdges {
  @FieldResolver(() => StartupView, { description: "The startup whose it is." })
  async startup(@Root() { startupId }: ProjectView, @Ctx() { loaders }: Context) {
    return organisationView(await loaders.organisationById.load(startupId));
  }

  @FieldResolver(() => BudgetView, {
    nullable: true,
    description: "The budget over all of its keys; null without one.",
  })
  async budget(@Root() { projectId }: ProjectView, @Ctx() { loaders }: Context) {
    const [budget] = await loaders.budgetsByOwnerId.load(projectId);
    return budget ? budgetView(budget) : null;
  }
}

@Resolver(() => BudgetView)
export class BudgetEdges {
  @FieldResolver(() => ApiKeyView, {
    nullable: true,
    description:
      "The API key that it was set over, of those that replaced one another the first; null when over a project.",
  })
  async apiKey(@Root() { apiKeyId }: BudgetView, @Ctx() { loaders }: Context) {
    return apiKeyId && apiKeyView(await loaders.apiKeyById.load(apiKeyId));
  }

  @FieldResolver(() => ProjectView, { nullable: true, description: "The project; null when over an API key." })
  async project(@Root() { projectId }: BudgetView, @Ctx() { loaders }: Context) {
    return projectId && projectView(await loaders.projectById.load(projectId));
  }

  @FieldResolver(() => BudgetStandingView, { description: "What counts against it now." })
  async standing(@Root() { budgetId }: BudgetView, @Ctx() { loaders }: Context) {
    return budgetStandingView(await loaders.budgetFiguresById.load(budgetId));
  }
}

@Resolver(() => BudgetAlertView)
export class BudgetAlertEdges {
  @FieldResolver(() => BudgetView, { description: "The budget, as it is now." })
  async budget(@Root() { budgetId }: BudgetAlertView, @Ctx() { loaders }: Context) {
    return budgetView(await loaders.budgetById.load(budgetId));
  }
}
