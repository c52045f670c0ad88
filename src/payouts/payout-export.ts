/** Payouts with the lines of their statements as one file, for a provider's books: one row per line, and the payout's figures on each. */
import { StatementLine } from "../../entities/statement-line";
import { organisationScope, requireKind, type Viewer } from "../accounts/viewer";
import { formatNano, mulDivHalfEven, NANO } from "../money/nano";
import { type Cell, csv } from "../platform/csv";
import type { Database } from "../platform/database";
import { DomainError } from "../platform/errors";
import { readRows } from "../platform/rows";
import { GPU_HOUR_NANOS } from "../pricing/tier";
import { checkPeriod } from "../statements/period";

/** Some megabytes of text, which one answer can carry. */
export const EXPORT_ROWS_MAX = 20_000;

export interface PayoutExport {
  readonly fileName: string;
  /** Without the header. */
  readonly rows: number;
  readonly csv: string;
}

const MORE = EXPORT_ROWS_MAX + 1;

interface PayoutRow {
  id: string;
  statement_id: string;
  provider: string;
  period: string;
  state: string;
  due_at: Date;
  attempt: number;
  submitted_at: Date | null;
  settled_at: Date | null;
  returned_at: Date | null;
  return_code: string | null;
  return_reason: string | null;
  amount: string;
  carried_in: string;
  left_over: string;
}

/** Of several attempts the newest. */
const payoutRows = {
  name: "payouts-export",
  text: `SELECT p.id, p.statement_id, o.name AS provider, p.period, p.state, p.due_at, p.attempt,
                a.submitted_at, a.settled_at, a.returned_at, a.return_code, a.return_reason,
                p.amount_nano_usd AS amount, p.carried_in_nano_usd AS carried_in, p.remainder_nano_usd AS left_over
           FROM payout p
           JOIN organisation o ON o.id = p.provider_id
           LEFT JOIN payout_attempt a ON a.payout_id = p.id AND a.number = p.attempt
          WHERE ($1::uuid IS NULL OR p.provider_id = $1) AND ($2::text IS NULL OR p.period = $2)
          ORDER BY p.id LIMIT ${MORE}`,
};

const header = [
  "payout_id",
  "provider",
  "period_utc",
  "state",
  "due_at_utc",
  "attempt",
  "submitted_at_utc",
  "settled_at_utc",
  "returned_at_utc",
  "return_code",
  "return_reason",
  "paid_usd",
  "carried_in_usd",
  "left_over_usd",
  "line",
  "accelerator",
  "region",
  "client_segment",
  "workload",
  "fixing_id",
  "gpu_hours",
  "line_usd",
] as const;

/** A provider's own, an operator's all. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (period, too many rows). */
export async function exportPayouts(
  db: Database,
  viewer: Viewer | null,
  filter: { providerId?: string | null | undefined; period?: string | null | undefined },
): Promise<PayoutExport> {
  const known = requireKind(viewer, "READ", "PROVIDER", "OPERATOR");
  const providerId = organisationScope(known, "READ", filter.providerId);
  const period = filter.period == null ? null : checkPeriod(filter.period);
  const payouts = await db.query<PayoutRow>(payoutRows, [providerId, period]);
  const lines = await readRows(db, StatementLine, `WHERE statement_id = ANY ($1) ORDER BY id LIMIT ${MORE}`, [
    payouts.map((payout) => payout.statement_id),
  ]);
  if (Math.max(lines.length, payouts.length) > EXPORT_ROWS_MAX) {
    throw new DomainError(
      "BAD_USER_INPUT",
      `A file has ${EXPORT_ROWS_MAX} rows at most: ask for one month, or one provider.`,
      { field: "period" },
    );
  }
  const linesOf = new Map<string, StatementLine[]>(payouts.map((payout) => [payout.statement_id, []]));
  for (const line of lines) linesOf.get(line.statementId)!.push(line);
  const rows = payouts.flatMap((payout) => {
    const own = linesOf.get(payout.statement_id)!;
    return (own.length === 0 ? [null] : own).map((line) => [...payoutCells(payout), ...lineCells(line)]);
  });
  return { fileName: `payouts${period === null ? "" : `-${period}`}.csv`, rows: rows.length, csv: csv(header, rows) };
}

function payoutCells(row: PayoutRow): Cell[] {
  return [
    row.id,
    row.provider,
    row.period,
    row.state,
    row.due_at,
    row.attempt,
    row.submitted_at,
    row.settled_at,
    row.returned_at,
    row.return_code,
    row.return_reason,
    formatNano(BigInt(row.amount)),
    formatNano(BigInt(row.carried_in)),
    formatNano(BigInt(row.left_over)),
  ];
}

function lineCells(line: StatementLine | null): Cell[] {
  if (line === null) return Array.from({ length: 8 }, () => null);
  return [
    line.kind,
    line.accelerator,
    line.region,
    line.segment,
    line.workload,
    line.fixingId,
    formatNano(mulDivHalfEven(line.gpuNanos, NANO, GPU_HOUR_NANOS)),
    formatNano(line.amountNanoUsd),
  ];
}
