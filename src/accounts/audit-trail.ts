/** The door to the audit trail: who did what to an organisation's objects. It is written by src/audit, in the act itself. */
import { AuditEvent } from "../../entities/audit-event";
import type { Database } from "../platform/database";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
import { organisationScope, type Viewer } from "./viewer";

export interface AuditFilter {
  organisationId?: string | null | undefined;
  action?: string | null | undefined;
  subjectId?: string | null | undefined;
  actorKeyId?: string | null | undefined;
  actorMemberId?: string | null | undefined;
  from?: Date | null | undefined;
  to?: Date | null | undefined;
}

export class AuditTrail {
  constructor(private readonly db: Database) {}

  /** Of one's own objects, whoever acted; an operator's all. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (page). */
  async page(viewer: Viewer | null, page: PageRequest, filter: AuditFilter = {}): Promise<Page<AuditEvent>> {
    const { action, subjectId, actorKeyId, actorMemberId, from, to } = filter;
    const organisationId = organisationScope(viewer, "READ", filter.organisationId);
    const query = this.db.source.getRepository(AuditEvent).createQueryBuilder("event");
    if (organisationId !== null) query.andWhere("event.organisationId = :organisationId", { organisationId });
    if (action != null) query.andWhere("event.action = :action", { action });
    if (subjectId != null) query.andWhere("event.subjectId = :subjectId", { subjectId });
    if (actorKeyId != null) query.andWhere("event.actorKeyId = :actorKeyId", { actorKeyId });
    if (actorMemberId != null) query.andWhere("event.actorMemberId = :actorMemberId", { actorMemberId });
    if (from != null) query.andWhere("event.at >= :from", { from });
    if (to != null) query.andWhere("event.at < :to", { to });
    return fetchPage(this.db, query, page);
  }
}
