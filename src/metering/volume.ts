/** How much GPU time each provider has delivered this month, which decides its volume tier. */
import type { Database } from "../platform/database";
import { ANSWER_TIMEOUT_MS } from "./outage";

interface Volume {
  period: string;
  gpuNanos: bigint;
}

/** Read from the usage records once per provider and month, then counted along; a second relay's share shows after `REREAD_MS`. */
const REREAD_MS = 60_000;

const statement = {
  name: "metering-volume",
  text: "SELECT coalesce(sum(gpu_nanos), 0)::text AS gpu_nanos FROM usage_record WHERE provider_id = $1 AND period = $2",
  query_timeout: ANSWER_TIMEOUT_MS,
};

export class MonthlyVolume {
  private readonly known = new Map<string, Volume & { readAtMs: number }>();
  private readonly reading = new Map<string, Promise<void>>();

  constructor(private readonly db: Database) {}

  /** Null until it was read once; `read` fetches it. */
  peek(providerId: string, period: string, nowMs: number): bigint | null {
    const volume = this.known.get(providerId);
    if (volume === undefined || volume.period !== period) return null;
    // A stale figure still decides the tier: the true-up at period close corrects what was read late.
    if (nowMs - volume.readAtMs > REREAD_MS) void this.read(providerId, period, nowMs).catch(() => undefined);
    return volume.gpuNanos;
  }

  read(providerId: string, period: string, nowMs: number): Promise<void> {
    const key = `${providerId}:${period}`;
    const reading =
      this.reading.get(key) ?? this.fetch(providerId, period, nowMs).finally(() => this.reading.delete(key));
    this.reading.set(key, reading);
    return reading;
  }

  add(providerId: string, period: string, gpuNanos: bigint): void {
    const volume = this.known.get(providerId);
    if (volume?.period === period) volume.gpuNanos += gpuNanos;
  }

  /** The next settlement reads it again. */
  forget(providerId: string): void {
    this.known.delete(providerId);
  }

  private async fetch(providerId: string, period: string, nowMs: number): Promise<void> {
    const rows = await this.db.query<{ gpu_nanos: string }>(statement, [providerId, period]);
    this.known.set(providerId, { period, gpuNanos: BigInt(rows[0]?.gpu_nanos ?? 0), readAtMs: nowMs });
  }
}
