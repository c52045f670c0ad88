/** What providers have earned: one accrual per provider and billing month. */
import { organisationScope, requireKind, type Viewer } from "../accounts/viewer";
import type { Database } from "../platform/database";
import { COUNT_MAX, checkPage, type Page, type PageRequest, pageFrom } from "../platform/page";
import { countRows } from "../platform/rows";
import { checkPeriod, dueAt } from "../statements/period";

export interface Accrual {
  /** The ledger account that it is kept in. */
  readonly id: string;
  readonly providerId: string;
  /** `YYYY-MM`, UTC. */
  readonly period: string;
  readonly accruedNanoUsd: bigint;
  readonly requests: number;
  readonly gpuNanos: bigint;
  readonly dueAt: Date;
}

interface AccrualRow {
  id: string;
  provider_id: string;
  period: string;
  accrued: string;
  requests: string;
  gpu_nanos: string;
}

/** Payable accounts are opened by the ledger with random ids, so the month leads the order and the id only parts equals. */
const which = `a.kind = 'PROVIDER_PAYABLE' AND a.credits_posted > 0
            AND ($1::uuid IS NULL OR a.organisation_id = $1)
            AND ($2::text IS NULL OR a.period = $2)`;
const statement = (backwards: boolean) => ({
  name: backwards ? "payouts-accruals-backwards" : "payouts-accruals",
  text: `SELECT a.id, a.organisation_id AS provider_id, a.period, a.credits_posted AS accrued, u.requests, u.gpu_nanos
           FROM ledger_account a
          CROSS JOIN LATERAL (
            SELECT count(*) AS requests, coalesce(sum(r.gpu_nanos), 0) AS gpu_nanos
              FROM usage_record r WHERE r.provider_id = a.organisation_id AND r.period = a.period) u
          WHERE ${which}
            AND ($3::uuid IS NULL OR (a.period, a.id) < (SELECT c.period, c.id FROM ledger_account c WHERE c.id = $3))
            AND ($4::uuid IS NULL OR (a.period, a.id) > (SELECT c.period, c.id FROM ledger_account c WHERE c.id = $4))
          ORDER BY a.period ${backwards ? "ASC" : "DESC"}, a.id ${backwards ? "ASC" : "DESC"}
          LIMIT $5`,
});

export class Accruals {
  private readonly db: Database;

  constructor(dependencies: { db: Database }) {
    this.db = dependencies.db;
  }

  /**
   * A provider's own, an operator's all; the newest month first.
   * Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (page, period).
   */
  async page(
    viewer: Viewer | null,
    page: PageRequest,
    filter: { providerId?: string | null | undefined; period?: string | null | undefined } = {},
  ): Promise<Page<Accrual>> {
    const known = requireKind(viewer, "READ", "PROVIDER", "OPERATOR");
    const providerId = organisationScope(known, "READ", filter.providerId);
    const period = filter.period == null ? null : checkPeriod(filter.period);
    const asked = checkPage(page);
    const of = [providerId, period];
    const values = [...of, asked.after, asked.before, asked.size + 1];
    const found = await this.db.query<AccrualRow>(statement(asked.backwards), values);
    const count = () => countRows(this.db, `SELECT 1 FROM ledger_account a WHERE ${which}`, of, COUNT_MAX + 1);
    return pageFrom(found.map(accrualOf), asked, count);
  }
}

function accrualOf(row: AccrualRow): Accrual {
  return {
    id: row.id,
    providerId: row.provider_id,
    period: row.period,
    accruedNanoUsd: BigInt(row.accrued),
    requests: Number(row.requests),
    gpuNanos: BigInt(row.gpu_nanos),
    dueAt: dueAt(row.period),
  };
}
