/** The door to the sessions of browsers: opened with a key or a token, known by a cookie, ended with what they stem from. */
import { randomBytes } from "node:crypto";
import type { EntityManager } from "typeorm";
import { Session } from "../../entities/session";
import type { ApiKeyScope, MemberRole, OrganisationKind } from "../../schema/enums";
import { changed, made, recordAct } from "../audit/audit";
import type { EventBus } from "../events/event-bus";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError, notFound } from "../platform/errors";
import { newId } from "../platform/ids";
import { checkVersion, existingId } from "../platform/input";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
import { transaction } from "../platform/transaction";
import { digestOf } from "./api-keys";
import { type FoundKey, KeyCache } from "./key-cache";
import { scopesOf } from "./roles";
import { organisationScope, owns, requireScope, type Viewer } from "./viewer";

export const SESSION_COOKIE = "exergy_session";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A working day without a request; OWASP's session management asks for an idle and an absolute end. */
export const SESSION_IDLE_MS = 12 * HOUR_MS;
/** A working week: whoever uses it all the time logs in once a week. */
export const SESSION_MS = 7 * DAY_MS;
/** For how long people can look up a session that has ended; its audit events stay. */
const KEPT_MS = 30 * DAY_MS;
/** Of one person or key. The oldest end, so that nobody fills the table by logging in. */
const OPEN_MAX = 100;
const TOKEN_BYTES = 32;
const TOKEN = /^[A-Za-z0-9_-]{43}$/;

interface SessionRow {
  id: string;
  organisation_id: string;
  kind: OrganisationKind;
  key_id: string | null;
  member_id: string | null;
  scopes: ApiKeyScope[];
  persisted_only: boolean;
  last_seen_at: Date;
  expires_at: Date;
  role: MemberRole | null;
  key_expires_at: Date | null;
}

export class Sessions {
  private readonly db: Database;
  private readonly bus: EventBus;
  private readonly clock: Clock;
  private readonly pepper: Buffer;
  private readonly found: KeyCache;

  constructor(dependencies: { db: Database; bus: EventBus; clock: Clock; pepper: Buffer }) {
    this.db = dependencies.db;
    this.bus = dependencies.bus;
    this.clock = dependencies.clock;
    this.pepper = dependencies.pepper;
    this.found = new KeyCache((digest) => this.find(digest), this.clock);
    this.bus.on("session.revoked", () => this.forget());
    this.bus.on("api-key.revoked", () => this.forget());
  }

  /** Null: unknown, ended, or what it stems from has. Errors: only the database's. */
  async authenticate(cookie: string): Promise<Viewer | null> {
    if (!TOKEN.test(cookie)) return null;
    const digest = digestOf(cookie, this.pepper);
    const known = this.found.peek(digest);
    return known === undefined ? this.found.resolve(digest) : known;
  }

  /** The cookie is in this answer and nowhere else. Errors: UNAUTHENTICATED, FORBIDDEN, STATE_CONFLICT (in a session). */
  async open(viewer: Viewer | null): Promise<{ session: Session; cookie: string }> {
    const known = requireScope(viewer, "READ");
    if (known.sessionId !== null) {
      throw new DomainError("STATE_CONFLICT", "A session opens no other: send an API key or a token.");
    }
    const cookie = randomBytes(TOKEN_BYTES).toString("base64url");
    const now = this.clock.now();
    const lastsMs = Math.min(now.getTime() + SESSION_MS, known.keyId === null ? Infinity : endOf(known));
    const session: Session = {
      id: newId(),
      organisationId: known.organisationId,
      memberId: known.memberId,
      keyId: known.keyId,
      digest: digestOf(cookie, this.pepper),
      scopes: [...known.scopes],
      persistedOnly: known.persistedOnly,
      createdAt: now,
      lastSeenAt: now,
      expiresAt: new Date(lastsMs),
      revokedAt: null,
      version: 1,
    };
    await transaction(this.db, async (tx) => {
      await tx.insert(Session, session);
      await makeRoom(tx, session, now);
      await this.record(tx, { ...known, sessionId: session.id }, "open", session, made(session, "scopes", "expiresAt"));
    });
    return { session, cookie };
  }

  /** A repeat changes nothing. One's own; with ADMIN any of the organisation. Errors: UNAUTHENTICATED, NOT_FOUND, VERSION_CONFLICT. */
  async revoke(viewer: Viewer | null, id: string, expectedVersion?: number | null): Promise<Session> {
    const known = requireScope(viewer, "READ");
    const session = await transaction(this.db, async (tx) => {
      const row = await tx.findOne(Session, {
        where: { id: existingId(id, "session") },
        lock: { mode: "pessimistic_write" },
      });
      if (row === null || !mayManage(known, row)) throw notFound("session");
      checkVersion(row, expectedVersion);
      if (row.revokedAt !== null) return row;
      const change = { revokedAt: this.clock.now(), version: row.version + 1 };
      await tx.update(Session, { id }, change);
      await this.record(tx, known, "revoke", row, changed(row, change));
      return Object.assign(row, change);
    });
    this.ended([id]);
    return session;
  }

  /** One's own; with ADMIN the organisation's, an operator's all. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (page). */
  async page(
    viewer: Viewer | null,
    page: PageRequest,
    filter: { organisationId?: string | null | undefined } = {},
  ): Promise<Page<Session>> {
    const { keyId, memberId, scopes } = requireScope(viewer, "READ");
    const organisationId = organisationScope(viewer, "READ", filter.organisationId);
    const query = this.db.source.getRepository(Session).createQueryBuilder("session");
    if (!scopes.has("ADMIN"))
      query.andWhere("(session.keyId = :keyId OR session.memberId = :memberId)", { keyId, memberId });
    if (organisationId !== null) query.andWhere("session.organisationId = :organisationId", { organisationId });
    return fetchPage(this.db, query, page);
  }

  /** All of one person, in the transaction that ends their membership; tell `ended` after its commit. */
  async revokeOf(tx: EntityManager, memberId: string): Promise<string[]> {
    const [rows] = await tx.query(
      `UPDATE session SET revoked_at = $2, version = version + 1
        WHERE member_id = $1 AND revoked_at IS NULL AND expires_at > $2 RETURNING id`,
      [memberId, this.clock.now()],
    );
    return (rows as { id: string }[]).map(({ id }) => id);
  }

  /** Sockets that these sessions opened close at once, here and wherever the bus reaches. */
  ended(ids: readonly string[]): void {
    this.forget();
    for (const sessionId of ids) this.bus.publish("session.revoked", { sessionId });
  }

  /** What a session may depends on its person's role: the next request reads it again. */
  forget(): void {
    this.found.clear();
  }

  private record(
    tx: EntityManager,
    viewer: Viewer,
    verb: string,
    session: Session,
    change: Parameters<typeof recordAct>[2]["change"],
  ): Promise<void> {
    const { id: subjectId, organisationId } = session;
    const at = this.clock.now();
    return recordAct(tx, viewer, {
      at,
      action: `session.${verb}`,
      subjectType: "Session",
      subjectId,
      organisationId,
      change,
    });
  }

  private async find(digest: Buffer): Promise<FoundKey | null> {
    const [row] = await this.db.query<SessionRow>(
      {
        name: "accounts-find-session",
        text: `SELECT s.id, s.organisation_id, o.kind, s.key_id, s.member_id, s.scopes, s.persisted_only, s.last_seen_at,
                      s.expires_at, m.role, k.expires_at AS key_expires_at
                 FROM session s
                 JOIN organisation o ON o.id = s.organisation_id
                 LEFT JOIN member m ON m.id = s.member_id
                 LEFT JOIN api_key k ON k.id = s.key_id
                WHERE s.digest = $1 AND s.revoked_at IS NULL AND m.removed_at IS NULL AND k.revoked_at IS NULL`,
      },
      [digest],
    );
    if (row === undefined) return null;
    const idleEndMs = row.last_seen_at.getTime() + SESSION_IDLE_MS;
    const endMs = Math.min(row.expires_at.getTime(), row.key_expires_at?.getTime() ?? Infinity);
    if (Math.min(idleEndMs, endMs) > this.clock.nowMs()) this.seen(row);
    return { viewer: viewerOfRow(row, new Date(endMs)), expiresAt: new Date(Math.min(idleEndMs, endMs)) };
  }

  /** In the background and at most once a minute: no request waits for it, and a lost one is made good by the next. */
  private seen({ id, last_seen_at }: SessionRow): void {
    const now = this.clock.now();
    if (now.getTime() - last_seen_at.getTime() < MINUTE_MS) return;
    const statement = {
      name: "accounts-session-seen",
      text: "UPDATE session SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2",
    };
    this.db.query(statement, [id, now]).catch(() => undefined);
  }
}

/** A person's log-in outlives the token that began it; one with a key does not outlive the key. */
const endOf = ({ expiresAt }: Viewer): number => expiresAt?.getTime() ?? Infinity;

function mayManage(viewer: Viewer, { organisationId, memberId, keyId }: Session): boolean {
  if (viewer.scopes.has("ADMIN")) return owns(viewer, organisationId);
  return memberId === null ? keyId === viewer.keyId : memberId === viewer.memberId;
}

function viewerOfRow(row: SessionRow, expiresAt: Date): Viewer {
  const now = row.role === null ? null : scopesOf(row.role);
  return {
    organisationId: row.organisation_id,
    kind: row.kind,
    scopes: new Set(row.scopes.filter((scope) => now === null || now.has(scope))),
    keyId: row.key_id,
    memberId: row.member_id,
    sessionId: row.id,
    expiresAt,
    persistedOnly: row.persisted_only,
  };
}

async function makeRoom(tx: EntityManager, { organisationId, memberId, keyId }: Session, now: Date): Promise<void> {
  await tx.query(`DELETE FROM session WHERE organisation_id = $1 AND least(expires_at, revoked_at) < $2`, [
    organisationId,
    new Date(now.getTime() - KEPT_MS),
  ]);
  await tx.query(
    `UPDATE session SET revoked_at = $3, version = version + 1 WHERE revoked_at IS NULL AND id IN
       (SELECT id FROM session WHERE (member_id = $1 OR key_id = $2) AND revoked_at IS NULL AND expires_at > $3
         ORDER BY id DESC OFFSET ${OPEN_MAX})`,
    [memberId, keyId, now],
  );
}
