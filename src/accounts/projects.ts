/** The door to projects: a startup's API keys that belong together, so that one budget can be over all of them. */
import type { EntityManager } from "typeorm";
import { z } from "zod";
import { ApiKey } from "../../entities/api-key";
import { Organisation } from "../../entities/organisation";
import { Project } from "../../entities/project";
import { type Change, changed, made, recordAct } from "../audit/audit";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError, notFound } from "../platform/errors";
import { isId, newId } from "../platform/ids";
import { checked, checkVersion, existingId, line, violatesUnique } from "../platform/input";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
import { readRows } from "../platform/rows";
import { transaction } from "../platform/transaction";
import { organisationScope, owns, requireKind, type Viewer } from "./viewer";

const projectFields = z.object({ name: line(120) });

export class Projects {
  private readonly db: Database;
  private readonly clock: Clock;

  constructor(dependencies: { db: Database; clock: Clock }) {
    this.db = dependencies.db;
    this.clock = dependencies.clock;
  }

  /** Errors: UNAUTHENTICATED, FORBIDDEN, BAD_USER_INPUT, NOT_FOUND, ALREADY_EXISTS (the name). */
  async create(viewer: Viewer | null, input: { startupId: string; name: string }): Promise<Project> {
    const known = requireKind(viewer, "ADMIN", "STARTUP", "OPERATOR");
    const { name } = checked(projectFields, input);
    const { startupId } = input;
    const project: Project = {
      id: newId(),
      startupId,
      name,
      createdAt: this.clock.now(),
      archivedAt: null,
      version: 1,
    };
    await named(name, () =>
      transaction(this.db, async (tx) => {
        const exists = owns(known, startupId) && (await tx.existsBy(Organisation, { id: startupId, kind: "STARTUP" }));
        if (!exists) throw notFound("startup", "startupId");
        await tx.insert(Project, project);
        await record(tx, known, { verb: "create", at: project.createdAt }, project, made(project, "name"));
      }),
    );
    return project;
  }

  /** Errors: UNAUTHENTICATED, FORBIDDEN, BAD_USER_INPUT, NOT_FOUND, VERSION_CONFLICT, ALREADY_EXISTS (the name). */
  async rename(
    viewer: Viewer | null,
    input: { id: string; name: string; expectedVersion?: number | null | undefined },
  ): Promise<Project> {
    const { name } = checked(projectFields, input);
    return named(name, () => this.change(viewer, "rename", input, async () => ({ name })));
  }

  /** It is off the lists for new keys. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, VERSION_CONFLICT, STATE_CONFLICT (keys work in it). */
  archive(viewer: Viewer | null, id: string, expectedVersion?: number | null): Promise<Project> {
    return this.change(viewer, "archive", { id, expectedVersion }, async (tx, project) => {
      if (project.archivedAt !== null) return {};
      const archivedAt = this.clock.now();
      const working = await tx
        .createQueryBuilder(ApiKey, "key")
        .where("key.projectId = :id AND key.revokedAt IS NULL", { id })
        .andWhere("(key.expiresAt IS NULL OR key.expiresAt > :now)", { now: archivedAt })
        .getCount();
      if (working > 0) {
        throw new DomainError("STATE_CONFLICT", `${working} API keys work in this project: move or revoke them first.`);
      }
      return { archivedAt };
    });
  }

  /** Of the viewer's own; an operator's all. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (page). */
  async page(
    viewer: Viewer | null,
    page: PageRequest,
    filter: { startupId?: string | null | undefined } = {},
  ): Promise<Page<Project>> {
    const known = requireKind(viewer, "READ", "STARTUP", "OPERATOR");
    const startupId = organisationScope(known, "READ", filter.startupId);
    const query = this.db.source.getRepository(Project).createQueryBuilder("project");
    if (startupId !== null) query.andWhere("project.startupId = :startupId", { startupId });
    return fetchPage(this.db, query, page);
  }

  /** Loader source: in no order, unknown ids left out, nobody authorised. */
  byIds(ids: readonly string[]): Promise<Project[]> {
    return readRows(this.db, Project, "WHERE id = ANY ($1)", [ids.filter(isId)]);
  }

  private change(
    viewer: Viewer | null,
    verb: string,
    { id, expectedVersion }: { id: string; expectedVersion?: number | null | undefined },
    work: (tx: EntityManager, project: Project) => Promise<Partial<Project>>,
  ): Promise<Project> {
    const known = requireKind(viewer, "ADMIN", "STARTUP", "OPERATOR");
    return transaction(this.db, async (tx) => {
      const project = await ownProject(tx, known, id);
      checkVersion(project, expectedVersion);
      const change = changed(project, await work(tx, project));
      if (Object.keys(change).length === 0) return project;
      const fields = Object.fromEntries(Object.entries(change).map(([name, { to }]) => [name, to]));
      const next = { ...fields, version: project.version + 1 };
      await tx.update(Project, { id }, next);
      await record(tx, known, { verb, at: this.clock.now() }, project, change);
      return Object.assign(project, next);
    });
  }
}

/** Locked until commit. Errors: NOT_FOUND. */
export async function ownProject(tx: EntityManager, viewer: Viewer, id: string): Promise<Project> {
  const where = { id: existingId(id, "project") };
  const project = await tx.findOne(Project, { where, lock: { mode: "pessimistic_write" } });
  if (project === null || !owns(viewer, project.startupId)) throw notFound("project");
  return project;
}

/** A project that takes a key of this organisation. Errors: NOT_FOUND, STATE_CONFLICT (archived). */
export async function projectForKey(
  tx: EntityManager,
  viewer: Viewer,
  { id, organisationId }: { id: string; organisationId: string },
): Promise<void> {
  const project = await ownProject(tx, viewer, id);
  if (project.startupId !== organisationId) throw notFound("project", "projectId");
  if (project.archivedAt !== null) {
    throw new DomainError("STATE_CONFLICT", `The project "${project.name}" is archived.`, { field: "projectId" });
  }
}

async function named<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!violatesUnique(error, "project_startup_name_key")) throw error;
    throw new DomainError("ALREADY_EXISTS", `There is a project "${name}" already.`, { field: "name" });
  }
}

function record(
  tx: EntityManager,
  actor: Viewer,
  { verb, at }: { verb: string; at: Date },
  { id: subjectId, startupId: organisationId }: Project,
  change: Change,
): Promise<void> {
  const action = `project.${verb}`;
  return recordAct(tx, actor, { at, action, subjectType: "Project", subjectId, organisationId, change });
}
