/** The judged minutes of endpoints over a span: how many had a verdict, and how many of those were bad. */
import type { SlaTierCode } from "../../schema/enums";
import type { Database } from "../platform/database";
import { judgeMinute, newMinuteCounters, type SlaTierTerms } from "./minute";

export interface JudgedWindow {
  readonly endpointId: string;
  readonly slaTier: SlaTierCode;
  readonly targetPpm: number;
  /** GOOD or BAD; minutes without evidence and those in maintenance count for nothing. */
  readonly eligibleMinutes: number;
  readonly badMinutes: number;
}

interface AlikeRow {
  endpoint_id: string;
  code: SlaTierCode;
  target: number;
  requests_min: number;
  failed_share: number;
  probes_min: number;
  requests: number;
  failed: number;
  probes: number;
  probes_failed: number;
  minutes: number;
}

/** Minutes with the same counts are judged once: a month of an endpoint is a few hundred rows instead of 43,200. */
const alikeMinutes = {
  name: "sla-alike-minutes",
  text: `SELECT m.endpoint_id, t.code, t.uptime_target_ppm AS target, t.bad_minute_requests_min AS requests_min,
                t.bad_minute_failed_share_ppm AS failed_share, t.bad_minute_probes_min AS probes_min,
                m.requests, m.failed, m.probes, m.probes_failed, count(*)::int AS minutes
           FROM endpoint e
           JOIN sla_tier t ON t.code = e.sla_tier
           JOIN sla_minute m ON m.endpoint_id = e.id AND m.minute >= $2 AND m.minute < $3
          WHERE e.id = ANY ($1)
            AND NOT EXISTS (
              SELECT FROM capacity_window w
               WHERE w.kind = 'MAINTENANCE' AND w.provider_id = e.provider_id AND w.accelerator = e.accelerator
                 AND w.region = e.region AND w.zone = e.zone
                 AND w.starts_at < m.minute + interval '1 minute'
                 AND least(w.ends_at, w.cancelled_at, 'infinity') > greatest(m.minute, w.starts_at))
          GROUP BY m.endpoint_id, t.code, m.requests, m.failed, m.probes, m.probes_failed`,
};

/** Endpoints without a judged minute are left out. */
export async function judgedWindows(
  db: Database,
  endpointIds: readonly string[],
  span: { from: Date; to: Date },
): Promise<JudgedWindow[]> {
  const rows = await db.query<AlikeRow>(alikeMinutes, [endpointIds, span.from, span.to]);
  const windows = new Map<string, { -readonly [Name in keyof JudgedWindow]: JudgedWindow[Name] }>();
  for (const row of rows) {
    const counters = { ...newMinuteCounters(), requests: row.requests, failed: row.failed };
    const verdict = judgeMinute(termsOf(row), { ...counters, probes: row.probes, probesFailed: row.probes_failed });
    if (verdict.uptime === "UNKNOWN") continue;
    const window = windows.get(row.endpoint_id) ?? {
      endpointId: row.endpoint_id,
      slaTier: row.code,
      targetPpm: row.target,
      eligibleMinutes: 0,
      badMinutes: 0,
    };
    window.eligibleMinutes += row.minutes;
    if (verdict.uptime === "BAD") window.badMinutes += row.minutes;
    windows.set(row.endpoint_id, window);
  }
  return [...windows.values()];
}

/** Uptime alone is asked for: the response time of these terms is never judged. */
const termsOf = (row: AlikeRow): SlaTierTerms => ({
  code: row.code,
  uptimeTargetPpm: BigInt(row.target),
  responseTimeMs: 500,
  badMinuteRequestsMin: row.requests_min,
  badMinuteFailedSharePpm: BigInt(row.failed_share),
  badMinuteProbesMin: row.probes_min,
  latencySamplesMin: 1,
});
