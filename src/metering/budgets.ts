/** The door to budgets: what API keys and projects may spend, set and changed at once on every relay, and told when it is nearly spent. */
import type { EntityManager } from "typeorm";
import { ApiKey } from "../../entities/api-key";
import { Budget } from "../../entities/budget";
import { BudgetAlert } from "../../entities/budget-alert";
import { Organisation } from "../../entities/organisation";
import { Project } from "../../entities/project";
import type { BudgetPeriod } from "../../schema/enums";
import type { Accounts, KeyMove } from "../accounts/accounts";
import { organisationScope, owns, requireKind, type Viewer } from "../accounts/viewer";
import { type Change, changed, made, recordAct } from "../audit/audit";
import type { Recall, RecallScope } from "../ledger/recall";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError, notFound } from "../platform/errors";
import { isId, newId } from "../platform/ids";
import { checkVersion, existingId, violatesUnique } from "../platform/input";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
import { readRows } from "../platform/rows";
import { transaction } from "../platform/transaction";
import { budgetFigures, budgetsChanged, standingAlerts } from "./budget-book";
import { type BudgetFigures, checkAmount, thresholdsOf } from "./budget-rules";

export interface NewBudget {
  /** Of these one. */
  readonly apiKeyId: string | null;
  readonly projectId: string | null;
  readonly amountNanoCredit: bigint;
  readonly period: BudgetPeriod;
  readonly hardStop: boolean;
  /** 80 and 95 % when left out. */
  readonly thresholdsPpm?: readonly bigint[] | null | undefined;
}

export interface BudgetTerms {
  readonly amountNanoCredit?: bigint | null | undefined;
  readonly hardStop?: boolean | null | undefined;
  readonly thresholdsPpm?: readonly bigint[] | null | undefined;
}

export interface BudgetFilter {
  readonly startupId?: string | null | undefined;
  readonly apiKeyId?: string | null | undefined;
  readonly projectId?: string | null | undefined;
}

/** Each outlasts the lease of a process that is dead. */
const RECALLS_MAX = 2;

export class Budgets {
  private readonly db: Database;
  private readonly accounts: Accounts;
  private readonly recall: Pick<Recall, "recall">;
  private readonly clock: Clock;

  constructor(dependencies: { db: Database; accounts: Accounts; recall: Pick<Recall, "recall">; clock: Clock }) {
    this.db = dependencies.db;
    this.accounts = dependencies.accounts;
    this.recall = dependencies.recall;
    this.clock = dependencies.clock;
  }

  /**
   * When it answers, every request that is admitted on any relay counts against it; what was set aside before does not.
   * Errors: UNAUTHENTICATED, FORBIDDEN, BAD_USER_INPUT, NOT_FOUND, ALREADY_EXISTS (the key or project has one).
   */
  async create(viewer: Viewer | null, input: NewBudget): Promise<Budget> {
    const known = requireKind(viewer, "ADMIN", "STARTUP", "OPERATOR");
    const terms = {
      amountNanoCredit: checkAmount(input.amountNanoCredit),
      period: input.period,
      hardStop: input.hardStop,
      thresholdsPpm: thresholdsOf(input.thresholdsPpm),
    };
    const at = this.clock.now();
    const budget = await once(() =>
      transaction(this.db, async (tx) => {
        const owner = await ownerOf(tx, known, input);
        const row: Budget = { id: newId(), ...owner, ...terms, createdAt: at, removedAt: null, version: 1 };
        await tx.insert(Budget, row);
        await budgetsChanged(tx, row.startupId, { id: row.id, at, moved: true });
        const told = made(row, "apiKeyId", "projectId", "amountNanoCredit", "period", "hardStop", "thresholdsPpm");
        await record(tx, known, { verb: "create", at }, row, told);
        return row;
      }),
    );
    await this.callBack({ startupId: budget.startupId });
    return budget;
  }

  /**
   * Holds at once. An amount below what is spent and held refuses whatever is new until enough of it is free, and takes nothing
   * back. Errors: UNAUTHENTICATED, FORBIDDEN, BAD_USER_INPUT, NOT_FOUND, VERSION_CONFLICT.
   */
  async change(
    viewer: Viewer | null,
    id: string,
    terms: BudgetTerms,
    expectedVersion?: number | null,
  ): Promise<Budget> {
    const fields: Partial<Budget> = {
      ...(terms.amountNanoCredit == null ? {} : { amountNanoCredit: checkAmount(terms.amountNanoCredit) }),
      ...(terms.hardStop == null ? {} : { hardStop: terms.hardStop }),
      ...(terms.thresholdsPpm == null ? {} : { thresholdsPpm: thresholdsOf(terms.thresholdsPpm) }),
    };
    const { before, after } = await this.act(viewer, { id, expectedVersion, verb: "change", moved: false }, fields);
    const tighter = after.amountNanoCredit < before.amountNanoCredit || (after.hardStop && !before.hardStop);
    if (tighter) await this.callBack({ budgetId: id });
    return after;
  }

  /** Nothing is refused for it any more. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, VERSION_CONFLICT. */
  async remove(viewer: Viewer | null, id: string, expectedVersion?: number | null): Promise<Budget> {
    const fields = { removedAt: this.clock.now() };
    return (await this.act(viewer, { id, expectedVersion, verb: "remove", moved: true }, fields)).after;
  }

  /** Its next request is under the budget of its new project; what it holds stays with the old one. Errors: those of `accounts.moveApiKey`. */
  async moveApiKey(viewer: Viewer | null, move: KeyMove): Promise<ApiKey> {
    let moved = false;
    const apiKey = await this.accounts.moveApiKey(viewer, move, async (tx, { organisationId }, at) => {
      moved = true;
      await budgetsChanged(tx, organisationId, { id: newId(), at, moved: true });
    });
    if (moved) await this.callBack({ startupId: apiKey.organisationId });
    return apiKey;
  }

  /** Those that stand: of the viewer's own, an operator's all. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (page). */
  async page(viewer: Viewer | null, page: PageRequest, filter: BudgetFilter = {}): Promise<Page<Budget>> {
    const known = requireKind(viewer, "READ", "STARTUP", "OPERATOR");
    const startupId = organisationScope(known, "READ", filter.startupId);
    const { apiKeyId, projectId } = filter;
    const query = this.db.source.getRepository(Budget).createQueryBuilder("budget").where("budget.removedAt IS NULL");
    if (startupId !== null) query.andWhere("budget.startupId = :startupId", { startupId });
    if (projectId != null) query.andWhere("budget.projectId = :projectId", { projectId });
    if (apiKeyId != null) {
      const first = "(SELECT coalesce(k.origin_id, k.id) FROM api_key k WHERE k.id = :apiKeyId)";
      query.andWhere(`budget.apiKeyId = ${first}`, { apiKeyId });
    }
    return fetchPage(this.db, query, page);
  }

  /** Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (page). */
  async alerts(
    viewer: Viewer | null,
    page: PageRequest,
    filter: { startupId?: string | null | undefined; budgetId?: string | null | undefined } = {},
  ): Promise<Page<BudgetAlert>> {
    const known = requireKind(viewer, "READ", "STARTUP", "OPERATOR");
    const startupId = organisationScope(known, "READ", filter.startupId);
    const query = this.db.source.getRepository(BudgetAlert).createQueryBuilder("alert");
    if (startupId !== null) query.andWhere("alert.startupId = :startupId", { startupId });
    if (filter.budgetId != null) query.andWhere("alert.budgetId = :budgetId", { budgetId: filter.budgetId });
    return fetchPage(this.db, query, page);
  }

  /** Raised in the periods that run, oldest first; as `alerts` otherwise. Errors: UNAUTHENTICATED, FORBIDDEN. */
  standingAlerts(viewer: Viewer | null): Promise<BudgetAlert[]> {
    const known = requireKind(viewer, "READ", "STARTUP", "OPERATOR");
    return standingAlerts(this.db, organisationScope(known, "READ"), this.clock.now());
  }

  /** Loader sources: in no order, unknown ids left out, nobody authorised. */
  byIds(ids: readonly string[]): Promise<Budget[]> {
    return readRows(this.db, Budget, "WHERE id = ANY ($1)", [ids.filter(isId)]);
  }

  alertsByIds(ids: readonly string[]): Promise<BudgetAlert[]> {
    return readRows(this.db, BudgetAlert, "WHERE id = ANY ($1)", [ids.filter(isId)]);
  }

  /** Those that stand. The ids of keys are those of the first of their line. */
  byOwners(ids: readonly string[]): Promise<Budget[]> {
    const where = "WHERE (api_key_id = ANY ($1) OR project_id = ANY ($1)) AND removed_at IS NULL";
    return readRows(this.db, Budget, where, [ids.filter(isId)]);
  }

  figures(ids: readonly string[]): Promise<Map<string, BudgetFigures>> {
    return budgetFigures(this.db, ids, this.clock.now());
  }

  private async act(
    viewer: Viewer | null,
    {
      id,
      expectedVersion,
      verb,
      moved,
    }: { id: string; expectedVersion?: number | null | undefined; verb: string; moved: boolean },
    fields: Partial<Budget>,
  ): Promise<{ before: Budget; after: Budget }> {
    const known = requireKind(viewer, "ADMIN", "STARTUP", "OPERATOR");
    const at = this.clock.now();
    return transaction(this.db, async (tx) => {
      const where = { id: existingId(id, "budget") };
      // No stronger: a commit of the ledger, which this waits for below, refers to the row when it opens a period.
      const before = await tx.findOne(Budget, { where, lock: { mode: "for_no_key_update" } });
      if (before === null || before.removedAt !== null || !owns(known, before.startupId)) throw notFound("budget");
      checkVersion(before, expectedVersion);
      const next = { ...fields, version: before.version + 1 };
      await tx.update(Budget, where, next);
      await budgetsChanged(tx, before.startupId, { id: newId(), at, moved });
      await record(tx, known, { verb, at }, before, changed(before, next));
      return { before, after: { ...before, ...next } };
    });
  }

  /** After the commit: what relays were lent goes by the new terms only when it has come back. */
  private async callBack(scope: RecallScope): Promise<void> {
    for (let tries = 0; tries < RECALLS_MAX; tries++) {
      if ((await this.recall.recall(scope)).outstanding === 0) return;
    }
  }
}

/** Errors: BAD_USER_INPUT (none or both, no startup's), NOT_FOUND. */
async function ownerOf(
  tx: EntityManager,
  viewer: Viewer,
  { apiKeyId, projectId }: Pick<NewBudget, "apiKeyId" | "projectId">,
): Promise<Pick<Budget, "startupId" | "apiKeyId" | "projectId">> {
  if (projectId !== null) {
    const project = await tx.findOneBy(Project, { id: existingId(projectId, "project") });
    if (project === null || !owns(viewer, project.startupId)) throw notFound("project", "owner");
    return { startupId: project.startupId, apiKeyId: null, projectId };
  }
  const key = await tx.findOneBy(ApiKey, { id: existingId(apiKeyId ?? "", "API key") });
  if (key === null || !owns(viewer, key.organisationId)) throw notFound("API key", "owner");
  if (!(await tx.existsBy(Organisation, { id: key.organisationId, kind: "STARTUP" }))) {
    throw new DomainError("BAD_USER_INPUT", "owner: only a startup's keys spend credit", { field: "owner" });
  }
  return { startupId: key.organisationId, apiKeyId: key.originId ?? key.id, projectId: null };
}

async function once<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!["budget_api_key_key", "budget_project_key"].some((index) => violatesUnique(error, index))) throw error;
    throw new DomainError("ALREADY_EXISTS", "It has a budget already: change that one.", { field: "owner" });
  }
}

function record(
  tx: EntityManager,
  actor: Viewer,
  { verb, at }: { verb: string; at: Date },
  { id: subjectId, startupId: organisationId }: Budget,
  change: Change,
): Promise<void> {
  const action = `budget.${verb}`;
  return recordAct(tx, actor, { at, action, subjectType: "Budget", subjectId, organisationId, change });
}
