/** Goal: a minute's verdict follows from its counts exactly, at the edges too. */
import fc from "fast-check";
import { countLatency } from "../../src/sla/latency-buckets";
import { judgeMinute, type MinuteCounters, newMinuteCounters, type SlaTierTerms } from "../../src/sla/minute";

const terms: SlaTierTerms = {
  code: "PREMIUM",
  uptimeTargetPpm: 999_000n,
  responseTimeMs: 200,
  badMinuteRequestsMin: 10,
  badMinuteFailedSharePpm: 500_000n,
  badMinuteProbesMin: 2,
  latencySamplesMin: 20,
};

const minute = (parts: Partial<MinuteCounters>) => ({ ...newMinuteCounters(), ...parts });
const uptime = (parts: Partial<MinuteCounters>) => judgeMinute(terms, minute(parts)).uptime;
const responseTime = (parts: Partial<MinuteCounters>) => judgeMinute(terms, minute(parts)).responseTime;

describe("uptime", () => {
  test.each([
    ["nothing seen", {}, "UNKNOWN"],
    ["half of ten requests failed", { requests: 10, failed: 5 }, "BAD"],
    ["less than half of ten failed", { requests: 10, failed: 4 }, "GOOD"],
    ["just under half of a million failed", { requests: 1_000_001, failed: 500_000 }, "GOOD"],
    ["nine requests, all failed: too few to say", { requests: 9, failed: 9 }, "UNKNOWN"],
    ["one request that went well", { requests: 1 }, "GOOD"],
    ["two probes, both failed", { probes: 2, probesFailed: 2 }, "BAD"],
    ["two probes, one failed", { probes: 2, probesFailed: 1 }, "GOOD"],
    ["one failed probe: too little to say, and no end of an outage", { probes: 1, probesFailed: 1 }, "UNKNOWN"],
    ["failed probes beside requests that went well", { requests: 50, probes: 2, probesFailed: 2 }, "BAD"],
    ["few failed requests beside a probe that went well", { requests: 3, failed: 3, probes: 1 }, "GOOD"],
  ] as const)("%s", (_what, counters, verdict) => {
    expect(uptime(counters)).toBe(verdict);
  });

  test("a minute with more failures is never judged better", () => {
    const rank = { BAD: 0, UNKNOWN: 1, GOOD: 2 };
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.nat(300), fc.nat(4), fc.nat(4), (requests, f, probes, p) => {
        const failed = Math.min(f, requests - 1);
        const probesFailed = Math.min(p, probes);
        const before = uptime({ requests, failed, probes, probesFailed });
        const after = uptime({ requests, failed: failed + 1, probes, probesFailed });
        expect(rank[after]).toBeLessThanOrEqual(rank[before]);
      }),
    );
  });
});

describe("response time", () => {
  test.each([
    ["95 of 100 within the limit", { ttftSamples: 100, within200Ms: 95 }, "GOOD"],
    ["94 of 100 within the limit", { ttftSamples: 100, within200Ms: 94 }, "BAD"],
    ["19 samples: too few to say", { ttftSamples: 19 }, "UNKNOWN"],
    ["20 samples, all late", { ttftSamples: 20 }, "BAD"],
    ["20 samples, 19 in time", { ttftSamples: 20, within200Ms: 19 }, "GOOD"],
  ] as const)("%s", (_what, counters, verdict) => {
    expect(responseTime(counters)).toBe(verdict);
  });

  test("each tier reads its own limit", () => {
    const counters = minute({ ttftSamples: 100, within100Ms: 80, within200Ms: 94, within500Ms: 99 });
    const verdicts = ([100, 200, 500] as const).map(
      (responseTimeMs) => judgeMinute({ ...terms, responseTimeMs }, counters).responseTime,
    );
    expect(verdicts).toEqual(["BAD", "BAD", "GOOD"]);
  });

  test("no sample says nothing, even where none is asked for", () => {
    expect(judgeMinute({ ...terms, latencySamplesMin: 0 }, minute({})).responseTime).toBe("UNKNOWN");
  });

  test("the verdict is the exact p95 of the samples", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 20, maxLength: 200 }), (latencies) => {
        const counters = newMinuteCounters();
        for (const ttftMs of latencies) countLatency(counters, ttftMs);
        const sorted = [...latencies].sort((a, b) => a - b);
        const p95 = sorted[Math.ceil((95 * sorted.length) / 100) - 1]!;
        expect(judgeMinute(terms, counters).responseTime).toBe(p95 <= 200 ? "GOOD" : "BAD");
      }),
    );
  });
});
