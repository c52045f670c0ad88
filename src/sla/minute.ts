/** Judges one minute of one endpoint against its tier, from counts alone. */
import type { SlaTierCode } from "../../schema/enums";

/** What was observed of an endpoint in one minute outside maintenance; the three latency counts are cumulative. */
export interface MinuteCounters {
  requests: number;
  failed: number;
  within100Ms: number;
  within200Ms: number;
  within500Ms: number;
  ttftSamples: number;
  probes: number;
  probesFailed: number;
}

export interface SlaTierTerms {
  code: SlaTierCode;
  uptimeTargetPpm: bigint;
  /** 95 % of first content bytes come within this time. */
  responseTimeMs: 100 | 200 | 500;
  /** Fewer requests than this cannot make a minute bad. */
  badMinuteRequestsMin: number;
  /** The share of failed requests from which a minute is bad. */
  badMinuteFailedSharePpm: bigint;
  /** So many probes, all failed, make a minute bad without any request. */
  badMinuteProbesMin: number;
  latencySamplesMin: number;
}

export type MinuteVerdict = "GOOD" | "BAD" | "UNKNOWN";

/** p95 < T is the same as "at least 95 % within T", which counts decide exactly and sketches do not. */
const RESPONSE_TIME_SHARE_PPM = 950_000n;
const PPM = 1_000_000n;

export function newMinuteCounters(): MinuteCounters {
  return {
    requests: 0,
    failed: 0,
    within100Ms: 0,
    within200Ms: 0,
    within500Ms: 0,
    ttftSamples: 0,
    probes: 0,
    probesFailed: 0,
  };
}

export function judgeMinute(
  terms: SlaTierTerms,
  counters: MinuteCounters,
): { uptime: MinuteVerdict; responseTime: MinuteVerdict } {
  return { uptime: judgeUptime(terms, counters), responseTime: judgeResponseTime(terms, counters) };
}

/**
 * GOOD needs something that went well: a lone failed probe is too little for BAD, but it must not end an outage either,
 * so such a minute stays UNKNOWN.
 */
function judgeUptime(terms: SlaTierTerms, { requests, failed, probes, probesFailed }: MinuteCounters): MinuteVerdict {
  const requestsFail = requests > 0 && BigInt(failed) * PPM >= BigInt(requests) * terms.badMinuteFailedSharePpm;
  const probesFail = probes > 0 && probesFailed >= probes;
  if (requestsFail && requests >= terms.badMinuteRequestsMin) return "BAD";
  if (probesFail && probes >= terms.badMinuteProbesMin) return "BAD";
  const wentWell = (requests > 0 && !requestsFail) || (probes > 0 && !probesFail);
  return wentWell ? "GOOD" : "UNKNOWN";
}

function judgeResponseTime(
  { responseTimeMs, latencySamplesMin }: SlaTierTerms,
  counters: MinuteCounters,
): MinuteVerdict {
  const { ttftSamples } = counters;
  if (ttftSamples === 0 || ttftSamples < latencySamplesMin) return "UNKNOWN";
  const within = {
    100: counters.within100Ms,
    200: counters.within200Ms,
    500: counters.within500Ms,
  }[responseTimeMs];
  return BigInt(within) * PPM >= BigInt(ttftSamples) * RESPONSE_TIME_SHARE_PPM ? "GOOD" : "BAD";
}
