/** A statement's lines and their total as a CSV file. */
import type { Statement } from "../../entities/statement";
import { formatNano, mulDivHalfEven, NANO } from "../money/nano";
import { type Cell, csv } from "../platform/csv";
import type { Database } from "../platform/database";
import { GPU_HOUR_NANOS } from "../pricing/tier";

const header = [
  "period_utc",
  "kind",
  "accelerator",
  "region",
  "client_segment",
  "workload",
  "fixing_hour_utc",
  "spot_usd_per_gpu_hour",
  "share",
  "requests",
  "gpu_hours",
  "amount_usd",
  "reason",
];

interface LineRow {
  kind: string;
  accelerator: string | null;
  region: string | null;
  segment: string | null;
  workload: string | null;
  hour: Date | null;
  price: string | null;
  share: string | null;
  requests: number;
  gpu_nanos: string;
  amount: string;
  reason: string | null;
}

const linesOf = {
  name: "statements-csv",
  text: `SELECT l.kind, l.accelerator, l.region, l.segment, l.workload, f.hour, l.price_nano_usd AS price, l.share_ppm AS share,
                l.requests, l.gpu_nanos, l.amount_nano_usd AS amount, l.reason
           FROM statement_line l LEFT JOIN fixing f ON f.id = l.fixing_id WHERE l.statement_id = $1 ORDER BY l.id`,
};

/** The last row is the total. Times are UTC, as the names of their columns say. */
export async function csvOf(db: Database, { id, period }: Pick<Statement, "id" | "period">): Promise<string> {
  const lines = await db.query<LineRow>(linesOf, [id]);
  const total = lines.reduce((sum, { amount }) => sum + BigInt(amount), 0n);
  const blanks = header.slice(2, -2).map(() => null);
  return csv(header, [
    ...lines.map((line) => cellsOf(period, line)),
    [period, "TOTAL", ...blanks, formatNano(total), null],
  ]);
}

const cellsOf = (period: string, line: LineRow): Cell[] => [
  period,
  line.kind,
  line.accelerator,
  line.region,
  line.segment,
  line.workload,
  line.hour,
  line.price === null ? null : formatNano(BigInt(line.price)),
  line.share === null ? null : formatNano(BigInt(line.share) * 1_000n),
  line.requests,
  formatNano(mulDivHalfEven(BigInt(line.gpu_nanos), NANO, GPU_HOUR_NANOS)),
  formatNano(BigInt(line.amount)),
  line.reason,
];
