/** Goal: the weight moves the way each of its factors promises. */
import fc from "fast-check";
import { fillTarget, weightOf } from "../../src/routing/weight";
import { aCandidate } from "./a-candidate";

const NOW_MS = 1_000_000;

test.each([
  [1, 0.55],
  [8, 0.55],
  [12, 0.625],
  [16, 0.7],
  [40, 0.75],
  [64, 0.8],
  [1_000, 0.8],
])("a pool of %i slots is filled to %f", (slots, target) => {
  expect(fillTarget(slots)).toBeCloseTo(target, 12);
});

test("an empty standard pool at the lowest price weighs one", () => {
  expect(weightOf(aCandidate(), NOW_MS)).toBe(1);
});

test("half way to its target a pool weighs half, and past it a twentieth", () => {
  expect(weightOf(aCandidate({ slots: 100, live: { inFlight: 40 } }), NOW_MS)).toBeCloseTo(0.5, 12);
  expect(weightOf(aCandidate({ slots: 100, live: { inFlight: 99 } }), NOW_MS)).toBe(0.05);
});

test("twice the price is half the weight", () => {
  expect(weightOf(aCandidate({ costFactor: 2 }), NOW_MS)).toBe(0.5);
});

test("a price factor below the scale wins nothing", () => {
  expect(weightOf(aCandidate({ costFactor: 0 }), NOW_MS)).toBe(1);
});

test("a better tier weighs more", () => {
  const weights = (["STANDARD", "PREMIUM", "ENTERPRISE"] as const).map((slaTier) =>
    weightOf(aCandidate({ slaTier }), NOW_MS),
  );
  expect(weights).toEqual([...weights].sort((a, b) => a - b));
  expect(new Set(weights).size).toBe(3);
});

test("after a pause the weight ramps up over ten seconds, from a tenth", () => {
  const after = (ms: number) => weightOf(aCandidate({ live: { cooldownUntilMs: NOW_MS } }), NOW_MS + ms);
  expect([0, 500, 5_000, 10_000, 60_000].map(after)).toEqual([0.1, 0.1, 0.5, 1, 1]);
});

test("every pool with slots has some weight, never more than an empty one", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4_096 }),
      fc.integer({ min: 0, max: 5_000 }),
      fc.double({ min: 1, max: 100, noNaN: true }),
      (slots, inFlight, costFactor) => {
        const weight = weightOf(aCandidate({ slots, costFactor, live: { inFlight } }), NOW_MS);
        expect(weight).toBeGreaterThan(0);
        expect(weight).toBeLessThanOrEqual(weightOf(aCandidate({ slots, costFactor }), NOW_MS));
      },
    ),
  );
});

test("a pool without slots weighs nothing", () => {
  expect(weightOf(aCandidate({ slots: 0 }), NOW_MS)).toBe(0);
});
