/** The door to usage whose figures the provider got wrong: what it claimed, and what was charged instead. */
import { UsageRecord } from "../../entities/usage-record";
import { requireKind, type Viewer } from "../accounts/viewer";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { existingId } from "../platform/input";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
import { checkPeriod } from "../statements/period";

export interface FlaggedUsageFilter {
  readonly providerId?: string | null | undefined;
  readonly endpointId?: string | null | undefined;
  readonly period?: string | null | undefined;
  /** True: more was claimed than was charged; false: nothing usable was said. */
  readonly inflated?: boolean | null | undefined;
}

export interface FlaggedUsageCount {
  readonly providerId: string;
  /** Charged requests in all, those whose figures were not taken, and those of them that claimed too much. */
  readonly requests: bigint;
  readonly flagged: bigint;
  readonly inflated: bigint;
  /** Tokens that were claimed beyond what was charged. */
  readonly excessTokens: bigint;
}

interface CountRow {
  provider_id: string;
  requests: string;
  flagged: string;
  inflated: string;
  excess: string;
}

const INFLATED = "(u.claimed_prompt_tokens > u.prompt_tokens OR u.claimed_completion_tokens > u.completion_tokens)";

const counts = {
  name: "payouts-flagged-counts",
  text: `SELECT u.provider_id, count(*) AS requests, count(*) FILTER (WHERE u.usage_bounded) AS flagged,
                count(*) FILTER (WHERE u.usage_bounded AND ${INFLATED}) AS inflated,
                coalesce(sum(greatest(u.claimed_prompt_tokens - u.prompt_tokens, 0) + greatest(u.claimed_completion_tokens - u.completion_tokens, 0))
                         FILTER (WHERE u.usage_bounded), 0) AS excess
           FROM usage_record u WHERE u.period = $1 AND u.provider_id IN (SELECT id FROM organisation WHERE kind = 'PROVIDER')
          GROUP BY u.provider_id HAVING count(*) FILTER (WHERE u.usage_bounded) > 0
          ORDER BY inflated DESC, flagged DESC, u.provider_id LIMIT 500`,
};

export class FlaggedUsage {
  constructor(
    private readonly db: Database,
    private readonly clock: Clock,
  ) {}

  /** Errors: UNAUTHENTICATED, FORBIDDEN (operators only), NOT_FOUND, BAD_USER_INPUT (page, period). */
  async page(viewer: Viewer | null, page: PageRequest, filter: FlaggedUsageFilter = {}): Promise<Page<UsageRecord>> {
    requireKind(viewer, "READ", "OPERATOR");
    const query = this.db.source.getRepository(UsageRecord).createQueryBuilder("u").where("u.usageBounded");
    for (const column of ["providerId", "endpointId"] as const) {
      const id = filter[column];
      if (id != null) query.andWhere(`u.${column} = :${column}`, { [column]: existingId(id, "object") });
    }
    if (filter.period != null) query.andWhere("u.period = :period", { period: checkPeriod(filter.period) });
    if (filter.inflated != null)
      query.andWhere(`coalesce(${INFLATED}, false) = :inflated`, { inflated: filter.inflated });
    return fetchPage(this.db, query, page);
  }

  /** Of one month, the running one when left out; who claims most first. Errors: UNAUTHENTICATED, FORBIDDEN (operators only), BAD_USER_INPUT. */
  async counts(viewer: Viewer | null, asked?: string | null): Promise<FlaggedUsageCount[]> {
    requireKind(viewer, "READ", "OPERATOR");
    const period = asked == null ? this.clock.now().toISOString().slice(0, 7) : checkPeriod(asked);
    const rows = await this.db.query<CountRow>(counts, [period]);
    return rows.map((row) => ({
      providerId: row.provider_id,
      requests: BigInt(row.requests),
      flagged: BigInt(row.flagged),
      inflated: BigInt(row.inflated),
      excessTokens: BigInt(row.excess),
    }));
  }
}
