/** Goal: the breaker opens, waits, tries once and closes as promised, and a Retry-After is always honoured. */
import fc from "fast-check";
import { newLiveState } from "../../src/routing/candidate";
import {
  beginAttempt,
  endAttempt,
  type FailureKind,
  isCoolingDown,
  recordFailure,
  recordSuccess,
} from "../../src/routing/cooldown";

const NOW_MS = 1_000_000;

describe("latency", () => {
  test("the first answer is the figure", () => {
    const live = newLiveState();
    recordSuccess(live, 120, NOW_MS);
    expect(live.ewmaMs).toBe(120);
  });

  test("a slower answer counts at once, a faster one as the old figure fades over ten seconds", () => {
    const live = newLiveState();
    recordSuccess(live, 100, NOW_MS);
    recordSuccess(live, 900, NOW_MS + 1);
    expect(live.ewmaMs).toBe(900);
    recordSuccess(live, 100, NOW_MS + 10_001);
    expect(live.ewmaMs).toBeCloseTo(100 + 800 / Math.E, 9);
  });

  test("the figure never leaves the range of what was measured", () => {
    const samples = fc.array(fc.tuple(fc.integer({ min: 0, max: 60_000 }), fc.integer({ min: -5, max: 60_000 })), {
      minLength: 1,
    });
    fc.assert(
      fc.property(samples, (steps) => {
        const live = newLiveState();
        let nowMs = NOW_MS;
        for (const [latencyMs, passedMs] of steps) {
          nowMs += passedMs;
          recordSuccess(live, latencyMs, nowMs);
        }
        const latencies = steps.map(([latencyMs]) => latencyMs);
        expect(live.ewmaMs).toBeGreaterThanOrEqual(Math.min(...latencies) - 1e-6);
        expect(live.ewmaMs).toBeLessThanOrEqual(Math.max(...latencies) + 1e-6);
      }),
    );
  });
});

describe("breaker", () => {
  test("a refused connection opens at once, for one second", () => {
    const live = newLiveState();
    recordFailure(live, "CONNECT", NOW_MS);
    expect(isCoolingDown(live, NOW_MS + 999)).toBe(true);
    expect(isCoolingDown(live, NOW_MS + 1_000)).toBe(false);
  });

  test.each<FailureKind>(["STATUS_5XX", "TIMEOUT", "CUT"])("%s opens at the third in a row", (kind) => {
    const live = newLiveState();
    recordFailure(live, kind, NOW_MS);
    recordFailure(live, kind, NOW_MS);
    expect(isCoolingDown(live, NOW_MS)).toBe(false);
    recordFailure(live, kind, NOW_MS);
    expect(isCoolingDown(live, NOW_MS)).toBe(true);
  });

  test("a success between them starts the row anew", () => {
    const live = newLiveState();
    recordFailure(live, "STATUS_5XX", NOW_MS);
    recordFailure(live, "STATUS_5XX", NOW_MS);
    recordSuccess(live, 100, NOW_MS);
    recordFailure(live, "STATUS_5XX", NOW_MS);
    recordFailure(live, "STATUS_5XX", NOW_MS);
    expect(isCoolingDown(live, NOW_MS)).toBe(false);
  });

  test("each failed trial doubles the pause, up to thirty seconds", () => {
    const live = newLiveState();
    const pauses: number[] = [];
    let nowMs = NOW_MS;
    for (let i = 0; i < 7; i += 1) {
      recordFailure(live, "CONNECT", nowMs);
      pauses.push(live.cooldownUntilMs - nowMs);
      nowMs = live.cooldownUntilMs;
      beginAttempt(live, nowMs);
    }
    expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });

  test("twenty requests that die together are one opening, not twenty doublings", () => {
    const live = newLiveState();
    for (let i = 0; i < 20; i += 1) recordFailure(live, "CONNECT", NOW_MS + i);
    expect(live.cooldownUntilMs).toBe(NOW_MS + 1_000);
  });

  test("after the pause one trial at a time may pass, and its success closes", () => {
    const live = newLiveState();
    recordFailure(live, "CONNECT", NOW_MS);
    const laterMs = NOW_MS + 1_000;
    expect(isCoolingDown(live, laterMs)).toBe(false);
    beginAttempt(live, laterMs);
    expect(isCoolingDown(live, laterMs)).toBe(true);
    recordSuccess(live, 100, laterMs + 100);
    endAttempt(live);
    expect(isCoolingDown(live, laterMs + 100)).toBe(false);
    expect(live).toMatchObject({ inFlight: 0, openedAtMs: 0, consecutiveFailures: 0, cooldownUntilMs: laterMs + 100 });
  });

  test("old streams that still run do not keep the trial out", () => {
    const live = newLiveState();
    for (let i = 0; i < 5; i += 1) beginAttempt(live, NOW_MS);
    recordFailure(live, "CONNECT", NOW_MS);
    expect(isCoolingDown(live, NOW_MS + 1_000)).toBe(false);
  });

  test("a trial that ends without a verdict gives its place back", () => {
    const live = newLiveState();
    recordFailure(live, "CONNECT", NOW_MS);
    beginAttempt(live, NOW_MS + 1_000);
    endAttempt(live);
    expect(isCoolingDown(live, NOW_MS + 10_999)).toBe(true);
    expect(isCoolingDown(live, NOW_MS + 11_000)).toBe(false);
  });

  test("an answer to a request from before the opening does not close it", () => {
    const live = newLiveState();
    recordFailure(live, "CONNECT", NOW_MS);
    recordSuccess(live, 100, NOW_MS + 500);
    expect(isCoolingDown(live, NOW_MS + 999)).toBe(true);
    expect(live.openedAtMs).toBe(NOW_MS);
  });

  test("attempts out never go below none", () => {
    const live = newLiveState();
    endAttempt(live);
    expect(live.inFlight).toBe(0);
  });
});

describe("throttling", () => {
  test("a 429 waits out its Retry-After and is no failure", () => {
    const live = newLiveState();
    recordFailure(live, "THROTTLED", NOW_MS, 7_000);
    expect(isCoolingDown(live, NOW_MS + 6_999)).toBe(true);
    expect(isCoolingDown(live, NOW_MS + 7_000)).toBe(false);
    expect(live).toMatchObject({ consecutiveFailures: 0, openedAtMs: 0 });
  });

  test("the longest Retry-After wins, and a success between does not shorten it", () => {
    const live = newLiveState();
    recordFailure(live, "THROTTLED", NOW_MS, 20_000);
    recordFailure(live, "THROTTLED", NOW_MS, 1_000);
    recordSuccess(live, 100, NOW_MS + 10);
    expect(live.cooldownUntilMs).toBe(NOW_MS + 20_000);
  });

  test.each([[undefined], [Number.NaN], [-5], [0]])("a Retry-After of %p waits one second", (retryAfterMs) => {
    const live = newLiveState();
    recordFailure(live, "THROTTLED", NOW_MS, retryAfterMs);
    expect(live.cooldownUntilMs).toBe(NOW_MS + 1_000);
  });

  test("a Retry-After of a day waits ten minutes", () => {
    const live = newLiveState();
    recordFailure(live, "THROTTLED", NOW_MS, 86_400_000);
    expect(live.cooldownUntilMs).toBe(NOW_MS + 600_000);
  });

  test("a throttled trial leaves room for another once the wait is over", () => {
    const live = newLiveState();
    recordFailure(live, "CONNECT", NOW_MS);
    beginAttempt(live, NOW_MS + 1_000);
    recordFailure(live, "THROTTLED", NOW_MS + 1_100, 2_000);
    expect(isCoolingDown(live, NOW_MS + 3_099)).toBe(true);
    expect(isCoolingDown(live, NOW_MS + 3_100)).toBe(false);
  });

  test("a 503 that names a Retry-After is believed, too", () => {
    const live = newLiveState();
    recordFailure(live, "STATUS_5XX", NOW_MS, 5_000);
    expect(isCoolingDown(live, NOW_MS + 4_999)).toBe(true);
    expect(live.consecutiveFailures).toBe(1);
  });
});

test("whatever happens, an endpoint can be tried again within the longest wait", () => {
  const kinds = fc.constantFrom<FailureKind | "SUCCESS" | "BEGIN">(
    "CONNECT",
    "TIMEOUT",
    "STATUS_5XX",
    "THROTTLED",
    "CUT",
    "SUCCESS",
    "BEGIN",
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(kinds, fc.integer({ min: 0, max: 40_000 }))), (steps) => {
      const live = newLiveState();
      let nowMs = NOW_MS;
      for (const [kind, passedMs] of steps) {
        nowMs += passedMs;
        if (kind === "SUCCESS") recordSuccess(live, 100, nowMs);
        else if (kind === "BEGIN") beginAttempt(live, nowMs);
        else recordFailure(live, kind, nowMs, kind === "THROTTLED" ? 900_000 : undefined);
      }
      expect(isCoolingDown(live, nowMs + 600_000)).toBe(false);
    }),
  );
});
