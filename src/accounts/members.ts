/** The door to people: who acts for an organisation, in which role, and from when on no more. */
import type { EntityManager } from "typeorm";
import { z } from "zod";
import { Member } from "../../entities/member";
import type { MemberRole } from "../../schema/enums";
import { type Change, changed, made, recordAct } from "../audit/audit";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError, notFound } from "../platform/errors";
import { isId, newId } from "../platform/ids";
import { checked, checkVersion, existingId, line, violatesUnique } from "../platform/input";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
import { readRows } from "../platform/rows";
import { transaction } from "../platform/transaction";
import { organisationToManage } from "./organisations";
import type { Sessions } from "./sessions";
import { organisationScope, owns, requireScope, type Viewer } from "./viewer";

const memberFields = z.object({
  email: z.string().trim().toLowerCase().max(254).pipe(z.email()),
  displayName: line(120),
});

export interface NewMember {
  organisationId: string;
  email: string;
  displayName: string;
  role: MemberRole;
}

export class Members {
  private readonly db: Database;
  private readonly clock: Clock;
  private readonly sessions: Sessions;

  constructor(dependencies: { db: Database; clock: Clock; sessions: Sessions }) {
    this.db = dependencies.db;
    this.clock = dependencies.clock;
    this.sessions = dependencies.sessions;
  }

  /** Errors: UNAUTHENTICATED, FORBIDDEN, BAD_USER_INPUT, NOT_FOUND, ALREADY_EXISTS (the e-mail address). */
  async add(viewer: Viewer | null, input: NewMember): Promise<Member> {
    const known = requireScope(viewer, "ADMIN");
    const { email, displayName } = checked(memberFields, input);
    const member: Member = {
      id: newId(),
      organisationId: input.organisationId,
      email,
      displayName,
      role: input.role,
      createdAt: this.clock.now(),
      removedAt: null,
      oidcIssuer: null,
      oidcSubject: null,
      version: 1,
    };
    try {
      await transaction(this.db, async (tx) => {
        await organisationToManage(tx, known, input.organisationId);
        await tx.insert(Member, member);
        await this.record(tx, known, "add", member, made(member, "email", "displayName", "role"));
      });
    } catch (error) {
      if (!violatesUnique(error, "member_organisation_email_key")) throw error;
      throw new DomainError("ALREADY_EXISTS", `${email} is a member of this organisation already.`, { field: "email" });
    }
    return member;
  }

  /** Holds from the next request on; sockets with more rights than that close within 5 s. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, VERSION_CONFLICT, STATE_CONFLICT (the last OWNER). */
  async changeRole(
    viewer: Viewer | null,
    id: string,
    role: MemberRole,
    expectedVersion?: number | null,
  ): Promise<Member> {
    const known = requireScope(viewer, "ADMIN");
    const changedMember = await transaction(this.db, async (tx) => {
      const { member, otherOwners } = await memberToManage(tx, known, id);
      checkVersion(member, expectedVersion);
      if (member.role === role) return member;
      if (member.role === "OWNER" && otherOwners === 0) throw lastOwner();
      return this.change(tx, known, "change-role", member, { role });
    });
    this.sessions.forget();
    return changedMember;
  }

  /** Their sessions and tokens end; keys that they made stay. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, VERSION_CONFLICT, STATE_CONFLICT (the last OWNER). */
  async remove(viewer: Viewer | null, id: string, expectedVersion?: number | null): Promise<Member> {
    const known = requireScope(viewer, "ADMIN");
    const { member, sessionIds } = await transaction(this.db, async (tx) => {
      const { member: present, otherOwners } = await memberToManage(tx, known, id);
      checkVersion(present, expectedVersion);
      if (present.role === "OWNER" && otherOwners === 0) throw lastOwner();
      const removed = await this.change(tx, known, "remove", present, { removedAt: this.clock.now() });
      return { member: removed, sessionIds: await this.sessions.revokeOf(tx, id) };
    });
    this.sessions.ended(sessionIds);
    return member;
  }

  /** Without those who were removed. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (page). */
  async page(
    viewer: Viewer | null,
    page: PageRequest,
    filter: { organisationId?: string | null | undefined } = {},
  ): Promise<Page<Member>> {
    const organisationId = organisationScope(viewer, "READ", filter.organisationId);
    const query = this.db.source.getRepository(Member).createQueryBuilder("member").where("member.removedAt IS NULL");
    if (organisationId !== null) query.andWhere("member.organisationId = :organisationId", { organisationId });
    return fetchPage(this.db, query, page);
  }

  /** Loader source, those who were removed included: in no order, unknown ids left out, nobody authorised. */
  byIds(ids: readonly string[]): Promise<Member[]> {
    return readRows(this.db, Member, "WHERE id = ANY ($1)", [ids.filter(isId)]);
  }

  private async change(tx: EntityManager, viewer: Viewer, verb: string, member: Member, fields: Partial<Member>) {
    const change = { ...fields, version: member.version + 1 };
    await tx.update(Member, { id: member.id }, change);
    await this.record(tx, viewer, verb, member, changed(member, change));
    return Object.assign(member, change);
  }

  private record(tx: EntityManager, viewer: Viewer, verb: string, member: Member, change: Change): Promise<void> {
    const { id: subjectId, organisationId } = member;
    const act = { action: `member.${verb}`, subjectType: "Member", subjectId, organisationId, change } as const;
    return recordAct(tx, viewer, { at: this.clock.now(), ...act });
  }
}

/** Owners are locked together and in one order: of two who remove each other, one stays. Errors: NOT_FOUND. */
async function memberToManage(tx: EntityManager, viewer: Viewer, id: string) {
  const seen = await tx.findOneBy(Member, { id: existingId(id, "member") });
  if (seen === null || !owns(viewer, seen.organisationId)) throw notFound("member");
  const owners: { id: string }[] = await tx.query(
    `SELECT id FROM member WHERE organisation_id = $1 AND role = 'OWNER' AND removed_at IS NULL
      ORDER BY id FOR UPDATE`,
    [seen.organisationId],
  );
  const member = await tx.findOne(Member, { where: { id }, lock: { mode: "pessimistic_write" } });
  if (member === null || member.removedAt !== null) throw notFound("member");
  return { member, otherOwners: owners.filter((owner) => owner.id !== id).length };
}

function lastOwner(): DomainError {
  return new DomainError("STATE_CONFLICT", "The last OWNER stays: make somebody else OWNER first.");
}
