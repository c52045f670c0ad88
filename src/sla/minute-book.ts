/** The counted minutes as they are stored: added up, read back with the terms that they are judged by. */
import type { EntityManager } from "typeorm";
import type { SlaTierCode } from "../../schema/enums";
import type { Database } from "../platform/database";
import type { CountedMinute } from "./evaluate";
import type { MinuteCounters, SlaTierTerms } from "./minute";
import type { EndpointMinute } from "./minute-counts";

export interface StoredMinute extends CountedMinute {
  readonly providerId: string;
}

interface MinuteRow extends MinuteCounters {
  endpointId: string;
  providerId: string;
  minute: Date;
  code: SlaTierCode;
  uptimeTargetPpm: number;
  responseTimeMs: number;
  badMinuteRequestsMin: number;
  badMinuteFailedSharePpm: number;
  badMinuteProbesMin: number;
  latencySamplesMin: number;
}

/**
 * One order for all writers, or two that add to the same rows could wait for each other. Counts of an endpoint that does
 * not exist are dropped: they would make every later write fail too.
 */
const addUp = {
  name: "sla-add-up",
  text: `INSERT INTO sla_minute AS m (endpoint_id, minute, requests, failed, ttft_samples,
                                      within_100_ms, within_200_ms, within_500_ms, probes, probes_failed)
         SELECT i."endpointId", i.minute, i.requests, i.failed, i."ttftSamples",
                i."within100Ms", i."within200Ms", i."within500Ms", i.probes, i."probesFailed"
           FROM json_to_recordset($1) AS i("endpointId" uuid, minute timestamptz, requests integer, failed integer,
                "ttftSamples" integer, "within100Ms" integer, "within200Ms" integer, "within500Ms" integer,
                probes integer, "probesFailed" integer)
          WHERE EXISTS (SELECT FROM endpoint e WHERE e.id = i."endpointId")
          ORDER BY i."endpointId", i.minute
         ON CONFLICT (endpoint_id, minute) DO UPDATE SET
           requests = m.requests + excluded.requests, failed = m.failed + excluded.failed,
           ttft_samples = m.ttft_samples + excluded.ttft_samples, within_100_ms = m.within_100_ms + excluded.within_100_ms,
           within_200_ms = m.within_200_ms + excluded.within_200_ms, within_500_ms = m.within_500_ms + excluded.within_500_ms,
           probes = m.probes + excluded.probes, probes_failed = m.probes_failed + excluded.probes_failed`,
};

/** Maintenance that touches any second of a minute excuses the whole minute; a cancelled window holds until then. */
const countedMinutes = `
  SELECT m.endpoint_id AS "endpointId", e.provider_id AS "providerId", m.minute, m.requests, m.failed,
         m.ttft_samples AS "ttftSamples", m.within_100_ms AS "within100Ms", m.within_200_ms AS "within200Ms",
         m.within_500_ms AS "within500Ms", m.probes, m.probes_failed AS "probesFailed", t.code,
         t.uptime_target_ppm AS "uptimeTargetPpm", t.response_time_ms AS "responseTimeMs",
         t.bad_minute_requests_min AS "badMinuteRequestsMin", t.bad_minute_failed_share_ppm AS "badMinuteFailedSharePpm",
         t.bad_minute_probes_min AS "badMinuteProbesMin", t.latency_samples_min AS "latencySamplesMin"
    FROM endpoint e
    JOIN sla_tier t ON t.code = e.sla_tier
    JOIN sla_minute m ON m.endpoint_id = e.id AND m.minute = ANY ($1)
   WHERE e.state IN ('LIVE', 'DRAINING')
     AND NOT EXISTS (
       SELECT FROM capacity_window w
        WHERE w.kind = 'MAINTENANCE' AND w.provider_id = e.provider_id AND w.accelerator = e.accelerator
          AND w.region = e.region AND w.zone = e.zone
          AND w.starts_at < m.minute + interval '1 minute'
          AND least(w.ends_at, w.cancelled_at, 'infinity') > greatest(m.minute, w.starts_at))
   ORDER BY m.endpoint_id, m.minute`;

export async function addMinutes(db: Database, minutes: readonly EndpointMinute[]): Promise<void> {
  const items = minutes.map(({ endpointId, minuteMs, counters }) => ({
    endpointId,
    minute: new Date(minuteMs),
    ...counters,
  }));
  await db.query(addUp, [JSON.stringify(items)]);
}

/** Of endpoints that take or finish workloads, minutes in maintenance left out. */
export async function readMinutes(tx: EntityManager, minutesMs: readonly number[]): Promise<StoredMinute[]> {
  const rows: MinuteRow[] = await tx.query(countedMinutes, [minutesMs.map((ms) => new Date(ms).toISOString())]);
  return rows.map((row) => ({
    endpointId: row.endpointId,
    providerId: row.providerId,
    minuteMs: row.minute.getTime(),
    terms: termsOf(row),
    counters: {
      requests: row.requests,
      failed: row.failed,
      ttftSamples: row.ttftSamples,
      within100Ms: row.within100Ms,
      within200Ms: row.within200Ms,
      within500Ms: row.within500Ms,
      probes: row.probes,
      probesFailed: row.probesFailed,
    },
  }));
}

function termsOf(row: MinuteRow): SlaTierTerms {
  const { responseTimeMs } = row;
  if (responseTimeMs !== 100 && responseTimeMs !== 200 && responseTimeMs !== 500) {
    throw new Error(`SLA tier ${row.code} promises ${responseTimeMs} ms, which is not counted.`);
  }
  return {
    code: row.code,
    uptimeTargetPpm: BigInt(row.uptimeTargetPpm),
    responseTimeMs,
    badMinuteRequestsMin: row.badMinuteRequestsMin,
    badMinuteFailedSharePpm: BigInt(row.badMinuteFailedSharePpm),
    badMinuteProbesMin: row.badMinuteProbesMin,
    latencySamplesMin: row.latencySamplesMin,
  };
}
