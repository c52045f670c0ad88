/** Reads usage records, newest first, narrowed by a filter. Whose they may be is for the door to say. */
import { UsageRecord } from "../../entities/usage-record";
import type { UsageOutcome } from "../../schema/enums";
import type { Database } from "../platform/database";
import { fetchPage, type Page, type PageRequest } from "../platform/page";

export interface UsageFilter {
  readonly startupId?: string | null;
  readonly providerId?: string | null;
  readonly endpointId?: string | null;
  readonly model?: string | null;
  readonly outcome?: UsageOutcome | null;
  readonly period?: string | null;
  readonly from?: Date | null;
  readonly to?: Date | null;
}

export function usageRecords(db: Database, page: PageRequest, filter: UsageFilter): Promise<Page<UsageRecord>> {
  const query = db.source.getRepository(UsageRecord).createQueryBuilder("u");
  if (filter.startupId != null) query.andWhere("u.startupId = :startupId", { startupId: filter.startupId });
  if (filter.providerId != null) query.andWhere("u.providerId = :providerId", { providerId: filter.providerId });
  if (filter.endpointId != null) query.andWhere("u.endpointId = :endpointId", { endpointId: filter.endpointId });
  if (filter.model != null) query.andWhere("u.model = :model", { model: filter.model });
  if (filter.outcome != null) query.andWhere("u.outcome = :outcome", { outcome: filter.outcome });
  if (filter.period != null) query.andWhere("u.period = :period", { period: filter.period });
  if (filter.from != null) query.andWhere("u.completedAt >= :from", { from: filter.from });
  if (filter.to != null) query.andWhere("u.completedAt < :to", { to: filter.to });
  return fetchPage(db, query, page);
}
