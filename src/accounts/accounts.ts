/** The door to organisations, their members and API keys; it tells who a secret belongs to. */
import { type EntityManager, In } from "typeorm";
import { z } from "zod";
import { ApiKey } from "../../entities/api-key";
import { Member } from "../../entities/member";
import { Organisation } from "../../entities/organisation";
import type { ApiKeyScope, MemberRole, OrganisationKind } from "../../schema/enums";
import type { EventBus } from "../events/event-bus";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError, notFound } from "../platform/errors";
import { isId, newId } from "../platform/ids";
import { checked, existingId, line, violatesUnique } from "../platform/input";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
import { transaction } from "../platform/transaction";
import { digestOf, isWellFormed, makeSecret, prefixOf } from "./api-keys";
import { type FoundKey, KeyCache } from "./key-cache";
import { organisationScope, owns, requireKind, requireScope, type Viewer } from "./viewer";

const organisationFields = z.object({ name: line(120) });
const memberFields = z.object({
  email: z.string().trim().toLowerCase().max(254).pipe(z.email()),
  displayName: line(120),
});
const keyFields = z.object({
  name: line(120),
  scopes: z.array(z.enum(["READ", "WRITE", "INFER"])).min(1),
  expiresAt: z.date().nullish(),
});

export interface NewMember {
  organisationId: string;
  email: string;
  displayName: string;
  role: MemberRole;
}

export interface NewApiKey {
  organisationId: string;
  name: string;
  scopes: readonly ApiKeyScope[];
  expiresAt?: Date | null | undefined;
}

interface KeyRow {
  id: string;
  organisation_id: string;
  kind: OrganisationKind;
  scopes: ApiKeyScope[];
  expires_at: Date | null;
}

export class Accounts {
  private readonly db: Database;
  private readonly bus: EventBus;
  private readonly clock: Clock;
  private readonly pepper: Buffer;
  private readonly keys: KeyCache;

  constructor(dependencies: { db: Database; bus: EventBus; clock: Clock; pepper: Buffer }) {
    this.db = dependencies.db;
    this.bus = dependencies.bus;
    this.clock = dependencies.clock;
    this.pepper = dependencies.pepper;
    this.keys = new KeyCache((digest) => this.findKey(digest), this.clock);
    this.bus.on("api-key.revoked", () => this.keys.clear());
  }

  /** Null: no key, or one that is malformed, unknown, revoked or expired. Errors: only the database's. */
  async authenticate(secret: string | undefined): Promise<Viewer | null> {
    if (secret === undefined || !isWellFormed(secret)) return null;
    const digest = digestOf(secret, this.pepper);
    const known = this.keys.peek(digest);
    return known === undefined ? this.keys.resolve(digest) : known;
  }

  /** As authenticate, without waiting; undefined when only the database can tell. */
  authenticateCached(secret: string | undefined): Viewer | null | undefined {
    if (secret === undefined || !isWellFormed(secret)) return null;
    return this.keys.peek(digestOf(secret, this.pepper));
  }

  /** Errors: UNAUTHENTICATED, FORBIDDEN (operators only), BAD_USER_INPUT. */
  async createOrganisation(
    viewer: Viewer | null,
    input: { kind: OrganisationKind; name: string },
  ): Promise<Organisation> {
    requireKind(viewer, "WRITE", "OPERATOR");
    const organisation = this.newOrganisation(input.kind, checked(organisationFields, input).name);
    await transaction(this.db, (tx) => tx.insert(Organisation, organisation));
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
    return fetchPage(query, page);
  }

  /** In no order, unknown ones left out. Authorises nobody: whoever hands rows out decides. */
  organisationsByIds(ids: readonly string[]): Promise<Organisation[]> {
    return this.db.source.getRepository(Organisation).findBy({ id: In(ids.filter(isId)) });
  }

  /** Errors: UNAUTHENTICATED, FORBIDDEN, BAD_USER_INPUT, NOT_FOUND, ALREADY_EXISTS (the e-mail address). */
  async addMember(viewer: Viewer | null, input: NewMember): Promise<Member> {
    const organisationId = await this.organisationToChange(viewer, input.organisationId);
    const { email, displayName } = checked(memberFields, input);
    const member: Member = {
      id: newId(),
      organisationId,
      email,
      displayName,
      role: input.role,
      createdAt: this.clock.now(),
    };
    try {
      await transaction(this.db, (tx) => tx.insert(Member, member));
    } catch (error) {
      if (!violatesUnique(error, "member_organisation_email_key")) throw error;
      throw new DomainError("ALREADY_EXISTS", `${email} is a member of this organisation already.`, { field: "email" });
    }
    return member;
  }

  /** Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (page). */
  async members(
    viewer: Viewer | null,
    page: PageRequest,
    filter: { organisationId?: string | null | undefined } = {},
  ): Promise<Page<Member>> {
    const organisationId = organisationScope(viewer, "READ", filter.organisationId);
    const query = this.db.source.getRepository(Member).createQueryBuilder("member");
    if (organisationId !== null) query.andWhere("member.organisationId = :organisationId", { organisationId });
    return fetchPage(query, page);
  }

  /** The secret is in this answer and nowhere else. Errors: UNAUTHENTICATED, FORBIDDEN, BAD_USER_INPUT, NOT_FOUND. */
  async createApiKey(viewer: Viewer | null, input: NewApiKey): Promise<{ apiKey: ApiKey; secret: string }> {
    const organisationId = await this.organisationToChange(viewer, input.organisationId);
    const { name, scopes, expiresAt } = checked(keyFields, input);
    if (expiresAt != null && expiresAt <= this.clock.now()) {
      throw new DomainError("BAD_USER_INPUT", "expiresAt: must lie in the future", { field: "expiresAt" });
    }
    const { apiKey, secret } = this.newKey(organisationId, name, scopes, expiresAt ?? null);
    await transaction(this.db, (tx) => tx.insert(ApiKey, apiKey));
    return { apiKey, secret };
  }

  /** Takes effect in this process when it returns, in others within 5 s. A repeat changes nothing. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND. */
  async revokeApiKey(viewer: Viewer | null, id: string): Promise<ApiKey> {
    const known = requireScope(viewer, "WRITE");
    const apiKey = await transaction(this.db, async (tx) => {
      const row = await tx.findOne(ApiKey, {
        where: { id: existingId(id, "API key") },
        lock: { mode: "pessimistic_write" },
      });
      if (row === null || !owns(known, row.organisationId)) throw notFound("API key");
      if (row.revokedAt === null) {
        row.revokedAt = this.clock.now();
        await tx.update(ApiKey, { id }, { revokedAt: row.revokedAt });
      }
      return row;
    });
    this.bus.publish("api-key.revoked", { keyId: id });
    return apiKey;
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
    return fetchPage(query, page);
  }

  /**
   * The way in for whoever owns the machine, called by bin/ only: the operator organisation of this name, made when it is
   * missing, and a new key to it with READ and WRITE. Errors: BAD_USER_INPUT.
   */
  bootstrapOperator(name: string): Promise<{ organisation: Organisation; secret: string }> {
    const fields = checked(organisationFields, { name });
    return transaction(this.db, async (tx) => {
      // Two first starts at once would each find nothing and make an operator.
      await tx.query("SELECT pg_advisory_xact_lock(hashtext('exergy.bootstrap'))");
      const organisation = await this.operatorNamed(tx, fields.name);
      const { apiKey, secret } = this.newKey(organisation.id, "bootstrap", ["READ", "WRITE"], null);
      await tx.insert(ApiKey, apiKey);
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

  private async organisationToChange(viewer: Viewer | null, id: string): Promise<string> {
    const known = requireScope(viewer, "WRITE");
    if (!owns(known, id) || (await this.organisationsByIds([id])).length === 0) {
      throw notFound("organisation", "organisationId");
    }
    return id;
  }

  private newOrganisation(kind: OrganisationKind, name: string): Organisation {
    return { id: newId(), kind, name, createdAt: this.clock.now(), version: 1 };
  }

  private newKey(organisationId: string, name: string, scopes: readonly ApiKeyScope[], expiresAt: Date | null) {
    const secret = makeSecret();
    const apiKey: ApiKey = {
      id: newId(),
      organisationId,
      name,
      prefix: prefixOf(secret),
      digest: digestOf(secret, this.pepper),
      scopes: [...new Set(scopes)],
      createdAt: this.clock.now(),
      expiresAt,
      revokedAt: null,
    };
    return { apiKey, secret };
  }

  private async findKey(digest: Buffer): Promise<FoundKey | null> {
    const [row] = await this.db.query<KeyRow>(
      {
        name: "accounts-find-key",
        text: `SELECT k.id, k.organisation_id, o.kind, k.scopes, k.expires_at
                 FROM api_key k JOIN organisation o ON o.id = k.organisation_id
                WHERE k.digest = $1 AND k.revoked_at IS NULL`,
      },
      [digest],
    );
    if (row === undefined) return null;
    const viewer: Viewer = {
      organisationId: row.organisation_id,
      kind: row.kind,
      keyId: row.id,
      scopes: new Set(row.scopes),
    };
    return { viewer, expiresAt: row.expires_at };
  }
}
