/** What a provider lost to others, and why: charged requests that its endpoints were looked at for and others served. */
import type { RoutingLossReason } from "../../schema/enums";
import type { Database } from "../platform/database";
import { DomainError } from "../platform/errors";

export interface LossFilter {
  readonly providerId?: string | null;
  readonly from?: Date | null;
  readonly to?: Date | null;
}

export interface Loss {
  readonly reason: RoutingLossReason;
  readonly requests: number;
  readonly gpuNanos: bigint;
}

const DAY_MS = 86_400_000;
const SPAN_MS = 7 * DAY_MS;
const SPAN_MS_MAX = 31 * DAY_MS;

/** The largest part first. Errors: BAD_USER_INPUT. */
export async function readLosses(db: Database, providerId: string, filter: LossFilter, now: Date): Promise<Loss[]> {
  // A request that was asked for this instant counts.
  const to = filter.to ?? new Date(now.getTime() + 1);
  const from = filter.from ?? new Date(to.getTime() - SPAN_MS);
  const spanMs = to.getTime() - from.getTime();
  if (spanMs < 0 || spanMs > SPAN_MS_MAX) {
    throw new DomainError("BAD_USER_INPUT", "from: lies 0 to 31 days before to", { field: "from" });
  }
  const rows = await db.query<{ reason: RoutingLossReason; requests: string; gpu_nanos: string }>(
    { name: "routing-losses", text: "SELECT reason, requests, gpu_nanos FROM routing_losses($1, $2, $3)" },
    [providerId, firstIdOf(from), firstIdOf(to)],
  );
  return rows.map(({ reason, requests, gpu_nanos }) => ({
    reason,
    requests: Number(requests),
    gpuNanos: BigInt(gpu_nanos),
  }));
}

/** No UUIDv7 of that millisecond is smaller. */
function firstIdOf(at: Date): string {
  const hex = Math.max(0, at.getTime()).toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}
