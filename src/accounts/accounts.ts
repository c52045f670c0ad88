/** The door to organisations and their API keys; it tells who a secret belongs to. Members and sessions have doors of their own. */
import type { EntityManager } from "typeorm";
import { z } from "zod";
import { ApiKey } from "../../entities/api-key";
import { Organisation } from "../../entities/organisation";
import type { ApiKeyScope, ClientSegment, OrganisationKind } from "../../schema/enums";
import { nodeTypeOf } from "../../schema/node";
import { made, recordAct } from "../audit/audit";
import type { EventBus } from "../events/event-bus";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError } from "../platform/errors";
import { isId, newId } from "../platform/ids";
import { checked, checkVersion, line } from "../platform/input";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
import { readRows } from "../platform/rows";
import { transaction } from "../platform/transaction";
import { digestOf, isWellFormed } from "./api-keys";
import { findKey } from "./find-key";
import { Issuer } from "./issuer";
import { KeyCache } from "./key-cache";
import { type AskedLimits, limitFields, limitsOf } from "./key-limits";
import { changeKey, firstKey, insertKey, moveKey, type NewKeyFields, newKey, ownKey } from "./key-rows";
import { Members } from "./members";
import { organisationToManage } from "./organisations";
import { People } from "./people";
import { Projects, projectForKey } from "./projects";
import { Sessions } from "./sessions";
import { stillValid } from "./validity";
import { organisationScope, requireKind, requireScope, type Viewer } from "./viewer";

const organisationFields = z.object({ name: line(120) });
const keyFields = z.object({
  name: line(120),
  scopes: z.array(z.enum(["READ", "WRITE", "INFER", "ADMIN"])).min(1),
  expiresAt: z.date().nullish(),
  limits: limitFields.nullish(),
});

/** For the path that an error names. */
const limitsFields = z.object({ limits: limitFields });

export interface NewApiKey {
  organisationId: string;
  name: string;
  scopes: readonly ApiKeyScope[];
  expiresAt?: Date | null | undefined;
  /** Takes only documents of the manifest, and hands out only keys that do. */
  persistedOnly?: boolean | null | undefined;
  limits?: AskedLimits | null | undefined;
  /** Of the startup that the key is for. */
  projectId?: string | null | undefined;
}

export interface KeyMove {
  id: string;
  /** Null: into none. */
  projectId: string | null;
  expectedVersion?: number | null | undefined;
}

export interface Rotation {
  id: string;
  /** For how long the old key works beside the new one. */
  overlapMs?: number | null | undefined;
  expectedVersion?: number | null | undefined;
}

export interface LimitsChange {
  id: string;
  /** All of them anew: what is left out is as the configuration says. */
  limits: AskedLimits;
  expectedVersion?: number | null | undefined;
}

const DAY_MS = 86_400_000;
/** A deployment's time to bring the new secret everywhere; a week is as long as a leaving key should live. */
const OVERLAP_MS = DAY_MS;
const OVERLAP_MS_MAX = 7 * DAY_MS;

export interface AccountsDependencies {
  readonly db: Database;
  readonly bus: EventBus;
  readonly clock: Clock;
  /** By which others make tokens; the same when left out. */
  readonly realClock?: Clock;
  readonly pepper: Buffer;
  /** Where browsers find this API; null where none come. */
  readonly publicOrigin?: string | null;
  /** Whose tokens people log in with; without it there are only keys. */
  readonly identityProvider?: { readonly issuer: string; readonly audience: string } | null;
}

export class Accounts {
  readonly members: Members;
  readonly projects: Projects;
  readonly sessions: Sessions;
  /** Null: no identity provider is configured. */
  readonly people: People | null;
  readonly publicOrigin: string | null;
  private readonly db: Database;
  private readonly bus: EventBus;
  private readonly clock: Clock;
  private readonly pepper: Buffer;
  private readonly keys: KeyCache;

  constructor(dependencies: AccountsDependencies) {
    const { db, clock, realClock = clock, identityProvider = null } = dependencies;
    this.sessions = new Sessions(dependencies);
    this.members = new Members({ db, clock, sessions: this.sessions });
    this.projects = new Projects({ db, clock });
    this.people =
      identityProvider &&
      new People({ db, clock, realClock, issuer: new Issuer({ ...identityProvider, clock: realClock }) });
    this.publicOrigin = dependencies.publicOrigin ?? null;
    this.db = dependencies.db;
    this.bus = dependencies.bus;
    this.clock = dependencies.clock;
    this.pepper = dependencies.pepper;
    this.keys = new KeyCache((digest) => findKey(this.db, digest, this.clock.now()), this.clock);
    this.bus.on("api-key.revoked", () => this.keys.clear());
  }

  /** Null: no key, or one that is malformed, unknown, revoked or expired. Errors: only the database's. */
  async authenticate(secret: string | undefined): Promise<Viewer | null> {
    const recognised = this.recognise(secret);
    if (recognised === null) return null;
    const known = this.keys.peek(recognised);
    return known === undefined ? this.keys.resolve(recognised) : known;
  }

  /** What `authenticateRecognised` asks by, for who sees the same secret again and again. Null: malformed, so nobody's. */
  recognise(secret: string | undefined): Buffer | null {
    if (secret === undefined || !isWellFormed(secret)) return null;
    return digestOf(secret, this.pepper);
  }

  /** As authenticate, without waiting; undefined when only the database can tell. */
  authenticateCached(secret: string | undefined): Viewer | null | undefined {
    return this.authenticateRecognised(this.recognise(secret));
  }

  /** As authenticateCached: what was recognised may have been revoked since. */
  authenticateRecognised(recognised: Buffer | null): Viewer | null | undefined {
    return recognised === null ? null : this.keys.peek(recognised);
  }

  /**
   * Which of them may stay, read anew in one statement: keys and sessions neither revoked nor expired, people neither
   * removed nor with more scopes than their role has now. Errors: only the database's.
   */
  stillValid(viewers: Iterable<Viewer>): Promise<Set<Viewer>> {
    return stillValid(this.db, viewers, this.clock.now());
  }

  /** Errors: UNAUTHENTICATED, FORBIDDEN (operators only), BAD_USER_INPUT. */
  async createOrganisation(
    viewer: Viewer | null,
    input: { kind: OrganisationKind; name: string; segment?: ClientSegment | null | undefined },
  ): Promise<Organisation> {
    const known = requireKind(viewer, "WRITE", "OPERATOR");
    if (input.segment != null && input.kind !== "STARTUP") {
      throw new DomainError("BAD_USER_INPUT", "segment: only a startup has one", { field: "segment" });
    }
    const organisation = this.newOrganisation(input.kind, checked(organisationFields, input).name, input.segment);
    await transaction(this.db, async (tx) => {
      await tx.insert(Organisation, organisation);
      await recordAct(tx, known, {
        at: organisation.createdAt,
        action: "organisation.create",
        subjectType: nodeTypeOf[organisation.kind],
        subjectId: organisation.id,
        organisationId: organisation.id,
        change: made(organisation, "kind", "name", "segment"),
      });
    });
    return organisation;
  }

  /** Operators see all, others themselves. Errors: UNAUTHENTICATED, FORBIDDEN, BAD_USER_INPUT (page). */
  async organisations(
    viewer: Viewer | null,
    page: PageRequest,
    filter: { kind?: OrganisationKind | null | undefined } = {},
  ): Promise<Page<Organisation>> {
    const id = organisationScope(viewer, "READ");
    const query = this.db.source.getRepository(Organisation).createQueryBuilder("organisation");
    if (id !== null) query.andWhere("organisation.id = :id", { id });
    if (filter.kind != null) query.andWhere("organisation.kind = :kind", { kind: filter.kind });
    return fetchPage(this.db, query, page);
  }

  /** In no order, unknown ones left out. Authorises nobody: whoever hands rows out decides. */
  organisationsByIds(ids: readonly string[]): Promise<Organisation[]> {
    return readRows(this.db, Organisation, "WHERE id = ANY ($1)", [ids.filter(isId)]);
  }

  /** The secret is in this answer and nowhere else. Errors: UNAUTHENTICATED, FORBIDDEN, BAD_USER_INPUT, NOT_FOUND, STATE_CONFLICT (the project is archived). */
  async createApiKey(viewer: Viewer | null, input: NewApiKey): Promise<{ apiKey: ApiKey; secret: string }> {
    const known = requireScope(viewer, "ADMIN");
    const { name, scopes, expiresAt, limits } = checked(keyFields, input);
    if (expiresAt != null && expiresAt <= this.clock.now()) {
      throw new DomainError("BAD_USER_INPUT", "expiresAt: must lie in the future", { field: "expiresAt" });
    }
    const persistedOnly = input.persistedOnly === true || known.persistedOnly;
    const { organisationId, projectId = null } = input;
    const made = this.keyOf({
      organisationId,
      projectId,
      name,
      scopes,
      persistedOnly,
      expiresAt: expiresAt ?? null,
      limits: limitsOf(limits),
    });
    await transaction(this.db, async (tx) => {
      await organisationToManage(tx, known, organisationId);
      if (projectId !== null) await projectForKey(tx, known, { id: projectId, organisationId });
      await insertKey(tx, known, "create", made.apiKey);
    });
    return made;
  }

  /**
   * A new key in place of an old one: same name, scopes and flags, and as long a life if the old one had an end. Both
   * work for the overlap. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT, VERSION_CONFLICT,
   * STATE_CONFLICT (revoked or expired).
   */
  async rotateApiKey(
    viewer: Viewer | null,
    { id, overlapMs, expectedVersion }: Rotation,
  ): Promise<{ apiKey: ApiKey; secret: string; rotated: ApiKey }> {
    const known = requireScope(viewer, "ADMIN");
    const overlap = overlapMs ?? OVERLAP_MS;
    if (overlap < 0 || overlap > OVERLAP_MS_MAX) {
      throw new DomainError("BAD_USER_INPUT", "overlap: must be PT0S to P7D", { field: "overlap" });
    }
    const result = await transaction(this.db, async (tx) => {
      const old = await ownKey(tx, known, id);
      checkVersion(old, expectedVersion);
      const nowMs = this.clock.nowMs();
      const oldEndMs = old.expiresAt?.getTime() ?? Infinity;
      if (old.revokedAt !== null || oldEndMs <= nowMs) {
        throw new DomainError("STATE_CONFLICT", "Only a key that works can be rotated: this one has ended.");
      }
      const lifeMs = old.expiresAt && old.expiresAt.getTime() - old.createdAt.getTime();
      const { organisationId, projectId, name, scopes, persistedOnly } = old;
      const made = this.keyOf({
        organisationId,
        name,
        scopes,
        persistedOnly: persistedOnly || known.persistedOnly,
        expiresAt: lifeMs === null ? null : new Date(nowMs + lifeMs),
        limits: limitsOf(old),
        projectId,
        rotatedFrom: old,
      });
      await insertKey(tx, known, "create", made.apiKey);
      const expiresAt = new Date(Math.min(oldEndMs, nowMs + overlap));
      return {
        ...made,
        rotated: await changeKey(tx, known, { verb: "rotate", at: new Date(nowMs) }, old, { expiresAt }),
      };
    });
    // The other processes see the new end within the seconds for which they remember a key.
    this.keys.clear();
    this.sessions.forget();
    if (overlap === 0) this.bus.publish("api-key.revoked", { keyId: id });
    return result;
  }

  /**
   * Takes effect in this process when it returns, in others within 5 s; requests that run are not asked again. What the
   * key is given cannot lift the organisation's own limits. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT,
   * VERSION_CONFLICT, STATE_CONFLICT (revoked).
   */
  async changeKeyLimits(viewer: Viewer | null, { id, limits: asked, expectedVersion }: LimitsChange): Promise<ApiKey> {
    const known = requireScope(viewer, "ADMIN");
    const limits = limitsOf(checked(limitsFields, { limits: asked }).limits);
    const apiKey = await transaction(this.db, async (tx) => {
      const row = await ownKey(tx, known, id);
      checkVersion(row, expectedVersion);
      if (row.revokedAt !== null) throw new DomainError("STATE_CONFLICT", "The key is revoked: it sends nothing more.");
      return changeKey(tx, known, { verb: "change-limits", at: this.clock.now() }, row, limits);
    });
    this.keys.clear();
    return apiKey;
  }

  /** Takes effect in this process when it returns, in others within 5 s. A repeat changes nothing. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, VERSION_CONFLICT. */
  async revokeApiKey(viewer: Viewer | null, id: string, expectedVersion?: number | null): Promise<ApiKey> {
    const known = requireScope(viewer, "ADMIN");
    const apiKey = await transaction(this.db, async (tx) => {
      const row = await ownKey(tx, known, id);
      checkVersion(row, expectedVersion);
      if (row.revokedAt !== null) return row;
      const revokedAt = this.clock.now();
      return changeKey(tx, known, { verb: "revoke", at: revokedAt }, row, { revokedAt });
    });
    this.bus.publish("api-key.revoked", { keyId: id });
    return apiKey;
  }

  /**
   * Into a project, or out of any. `within` is told in the transaction, when the key was elsewhere: budgets follow it.
   * Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, VERSION_CONFLICT, STATE_CONFLICT (the project is archived).
   */
  async moveApiKey(
    viewer: Viewer | null,
    { id, projectId, expectedVersion }: KeyMove,
    within: (tx: EntityManager, apiKey: ApiKey, at: Date) => Promise<void>,
  ): Promise<ApiKey> {
    const known = requireScope(viewer, "ADMIN");
    return transaction(this.db, async (tx) => {
      const row = await ownKey(tx, known, id);
      checkVersion(row, expectedVersion);
      if (row.projectId === projectId) return row;
      if (projectId !== null) await projectForKey(tx, known, { id: projectId, organisationId: row.organisationId });
      const at = this.clock.now();
      const moved = await moveKey(tx, known, at, row, projectId);
      await within(tx, moved, at);
      return moved;
    });
  }

  /** Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (page). */
  async apiKeys(
    viewer: Viewer | null,
    page: PageRequest,
    filter: { organisationId?: string | null | undefined } = {},
  ): Promise<Page<ApiKey>> {
    const organisationId = organisationScope(viewer, "READ", filter.organisationId);
    const query = this.db.source.getRepository(ApiKey).createQueryBuilder("apiKey");
    if (organisationId !== null) query.andWhere("apiKey.organisationId = :organisationId", { organisationId });
    return fetchPage(this.db, query, page);
  }

  /** Loader source: in no order, unknown ids left out, nobody authorised. */
  apiKeysByIds(ids: readonly string[]): Promise<ApiKey[]> {
    return readRows(this.db, ApiKey, "WHERE id = ANY ($1)", [ids.filter(isId)]);
  }

  /**
   * The way in for whoever owns the machine, called by bin/ only: the operator organisation of this name, made when it is
   * missing, and a new key to it with READ, WRITE and ADMIN. Errors: BAD_USER_INPUT.
   */
  bootstrapOperator(name: string): Promise<{ organisation: Organisation; secret: string }> {
    const fields = checked(organisationFields, { name });
    return transaction(this.db, async (tx) => {
      // Two first starts at once would each find nothing and make an operator.
      await tx.query("SELECT pg_advisory_xact_lock(hashtext('exergy.bootstrap'))");
      const organisation = await this.operatorNamed(tx, fields.name);
      const { apiKey, secret } = this.keyOf({
        organisationId: organisation.id,
        name: "bootstrap",
        scopes: ["READ", "WRITE", "ADMIN"],
        persistedOnly: false,
        expiresAt: null,
        limits: limitsOf(null),
      });
      // Nobody is there yet who could be the actor: the key itself stands for whoever has the machine.
      await insertKey(tx, firstKey(organisation, apiKey), "bootstrap", apiKey);
      return { organisation, secret };
    });
  }

  private async operatorNamed(tx: EntityManager, name: string): Promise<Organisation> {
    const present = await tx.findOne(Organisation, { where: { kind: "OPERATOR", name }, order: { id: "ASC" } });
    if (present !== null) return present;
    const organisation = this.newOrganisation("OPERATOR", name);
    await tx.insert(Organisation, organisation);
    return organisation;
  }

  private keyOf(fields: NewKeyFields): { apiKey: ApiKey; secret: string } {
    return newKey(fields, this.pepper, this.clock.now());
  }

  private newOrganisation(kind: OrganisationKind, name: string, segment?: ClientSegment | null): Organisation {
    return { id: newId(), kind, name, segment: segment ?? "UNSPECIFIED", createdAt: this.clock.now(), version: 1 };
  }
}
