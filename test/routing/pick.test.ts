/** Goal: two are drawn by weight and the one with less work ahead wins; a seed repeats the choice. */
import fc from "fast-check";
import { pick } from "../../src/routing/pick";
import { weightOf } from "../../src/routing/weight";
import { aCandidate, seededRandom } from "./a-candidate";

const NOW_MS = 1_000_000;
const measured = (ewmaMs: number) => ({ ewmaMs, ewmaAtMs: NOW_MS });

function shares(candidates: ReturnType<typeof aCandidate>[], draws: number): Map<string, number> {
  const random = seededRandom(7);
  const counts = new Map(candidates.map(({ endpointId }) => [endpointId, 0]));
  for (let i = 0; i < draws; i += 1) {
    const { endpointId } = pick(candidates, NOW_MS, random)!;
    counts.set(endpointId, counts.get(endpointId)! + 1 / draws);
  }
  return counts;
}

test("nobody is picked from nobody", () => {
  expect(pick([], NOW_MS, Math.random)).toBeNull();
  expect(pick([aCandidate({ slots: 0 })], NOW_MS, Math.random)).toBeNull();
});

test("a lone candidate is picked whatever its figures", () => {
  const lone = aCandidate({ live: { ...measured(60_000), inFlight: 15 } });
  expect(pick([lone], NOW_MS, () => 0.999_999)).toBe(lone);
});

test("of two the faster one is always picked", () => {
  const slow = aCandidate({ endpointId: "slow", live: measured(400) });
  const fast = aCandidate({ endpointId: "fast", live: measured(100) });
  expect(shares([slow, fast], 500).get("fast")).toBeCloseTo(1, 9);
});

test("a fast endpoint with a queue loses to a slower one without", () => {
  const busy = aCandidate({ endpointId: "busy", live: { ...measured(100), inFlight: 5 } });
  const idle = aCandidate({ endpointId: "idle", live: measured(300) });
  expect(shares([busy, idle], 500).get("idle")).toBeCloseTo(1, 9);
});

test("the same queue weighs less on more slots", () => {
  const small = aCandidate({ endpointId: "small", slots: 16, live: { ...measured(100), inFlight: 3 } });
  const large = aCandidate({ endpointId: "large", slots: 64, live: { ...measured(100), inFlight: 3 } });
  expect(shares([small, large], 500).get("large")).toBeCloseTo(1, 9);
});

test("an unmeasured endpoint counts as the mean of the measured ones", () => {
  const fast = aCandidate({ endpointId: "fast", live: measured(100) });
  const fresh = aCandidate({ endpointId: "fresh" });
  const slow = aCandidate({ endpointId: "slow", live: measured(500) });
  const picked = shares([fast, fresh, slow], 3_000);
  expect(picked.get("fast")!).toBeGreaterThan(0.6);
  expect(picked.get("fresh")!).toBeGreaterThan(0.25);
  expect(picked.get("slow")!).toBe(0);
});

test("a latency that nobody confirms fades until the endpoint is asked again", () => {
  const slowOnce = aCandidate({ endpointId: "slowOnce", live: { ewmaMs: 5_000, ewmaAtMs: NOW_MS - 60_000 } });
  const steady = aCandidate({ endpointId: "steady", live: measured(100) });
  expect(shares([slowOnce, steady], 100).get("slowOnce")).toBeCloseTo(1, 9);
});

test("among equals the weight decides how often one is drawn", () => {
  const cheap = aCandidate({ endpointId: "cheap" });
  const dear = ["dear-1", "dear-2", "dear-3"].map((endpointId) => aCandidate({ endpointId, costFactor: 4 }));
  // All tie on work ahead, so the first draw wins: 1 against 3 × 1/4.
  expect(shares([cheap, ...dear], 20_000).get("cheap")).toBeCloseTo(1 / 1.75, 1);
});

test("load spreads: no endpoint of a hundred equals gets more than three times its share", () => {
  const random = seededRandom(3);
  const pool = Array.from({ length: 100 }, (_, i) => aCandidate({ endpointId: `endpoint-${i}`, slots: 64 }));
  for (let i = 0; i < 1_000; i += 1) pick(pool, NOW_MS, random)!.live.inFlight += 1;
  expect(Math.max(...pool.map(({ live }) => live.inFlight))).toBeLessThanOrEqual(13);
});

const candidates = fc.array(
  fc.record({
    slots: fc.integer({ min: 0, max: 128 }),
    costFactor: fc.double({ min: 1, max: 8, noNaN: true }),
    inFlight: fc.integer({ min: 0, max: 128 }),
    ewmaMs: fc.option(fc.double({ min: 0, max: 60_000, noNaN: true })),
    cooldownUntilMs: fc.integer({ min: 0, max: NOW_MS }),
  }),
  { maxLength: 40 },
);

test("whatever the figures and the dice, the pick is one of the candidates that weigh something, and repeats", () => {
  fc.assert(
    fc.property(candidates, fc.integer(), (rows, seed) => {
      const pool = rows.map(({ slots, costFactor, ...live }, i) =>
        aCandidate({ endpointId: `endpoint-${i}`, slots, costFactor, live: { ...live, ewmaAtMs: NOW_MS } }),
      );
      const picked = pick(pool, NOW_MS, seededRandom(seed));
      if (pool.every(({ slots }) => slots === 0)) expect(picked).toBeNull();
      else expect(weightOf(picked!, NOW_MS)).toBeGreaterThan(0);
      expect(pick(pool, NOW_MS, seededRandom(seed))).toBe(picked);
    }),
  );
});

test("the highest dice still give two distinct candidates", () => {
  const almostOne = () => 1 - Number.EPSILON / 2;
  const pool = [measured(300), measured(200), measured(100)].map((live, i) =>
    aCandidate({ endpointId: `endpoint-${i}`, live }),
  );
  expect(pick(pool, NOW_MS, almostOne)).toBe(pool[2]);
});
