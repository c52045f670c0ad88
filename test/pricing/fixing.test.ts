/** The fixing follows the market's middle: not its past, its extremes, or its sudden jumps. */
import fc from "fast-check";
import { NANO, PPM } from "../../src/money/nano";
import { computeFixing, type Fixing, type SpotObservation } from "../../src/pricing/fixing";

const AT = new Date("2026-03-01T12:00:00Z");
const HOUR_MS = 3_600_000;

function anObservation(
  id: string,
  priceUsd: number,
  over: Partial<SpotObservation> & { ageMs?: number } = {},
): SpotObservation {
  const { ageMs = 0, ...rest } = over;
  return {
    id,
    priceNanoUsd: BigInt(Math.round(priceUsd * 100)) * 10_000_000n,
    confidencePpm: PPM,
    observedAt: new Date(AT.getTime() - ageMs),
    ...rest,
  };
}

function fix(observations: SpotObservation[], previousNanoUsd: bigint | null = null): Fixing {
  const fixing = computeFixing(observations, { at: AT, previousNanoUsd });
  if (fixing === null) throw new Error("expected a fixing");
  return fixing;
}

/** Ages reach past the ttl and into the future, confidences include the unusable zero. */
const someObservations = fc
  .array(
    fc.record({
      priceNanoUsd: fc.bigInt({ min: 1n, max: 20n * NANO }),
      confidencePpm: fc.oneof(fc.bigInt({ min: 0n, max: PPM }), fc.constantFrom(0n, 1n, PPM)),
      ageMs: fc.integer({ min: -2 * HOUR_MS, max: 30 * HOUR_MS }),
    }),
    { maxLength: 40 },
  )
  .map((drafts) =>
    drafts.map(({ ageMs, ...draft }, index) => ({
      ...draft,
      id: `obs-${index}`,
      observedAt: new Date(AT.getTime() - ageMs),
    })),
  );

test("equal observations make their plain mean", () => {
  expect(fix([anObservation("a", 2), anObservation("b", 3)])).toMatchObject({
    priceNanoUsd: 2_500_000_000n,
    flags: [],
  });
});

test("an observation a day old counts half, one a millisecond older not at all", () => {
  const fresh = anObservation("fresh", 2);
  const old = fix([fresh, anObservation("old", 5, { ageMs: 24 * HOUR_MS })]);
  expect(old.components.map((component) => component.weightPpm)).toEqual([1_000_000n, 500_000n]);
  expect(old.priceNanoUsd).toBe(3_000_000_000n);
  const tooOld = fix([fresh, anObservation("old", 5, { ageMs: 24 * HOUR_MS + 1 })]);
  expect(tooOld.components.map((component) => component.observationId)).toEqual(["fresh"]);
});

test("confidence scales the weight", () => {
  const fixing = fix([anObservation("a", 2), anObservation("b", 4, { confidencePpm: 500_000n, ageMs: 12 * HOUR_MS })]);
  expect(fixing.components[1]?.weightPpm).toBe(375_000n);
});

test("observations from the future, without confidence or with a price of zero are left out", () => {
  const fixing = fix([
    anObservation("good", 2),
    anObservation("future", 9, { ageMs: -1 }),
    anObservation("doubtful", 9, { confidencePpm: 0n }),
    anObservation("overconfident", 9, { confidencePpm: PPM + 1n }),
    anObservation("free", 0),
  ]);
  expect(fixing.components.map((component) => component.observationId)).toEqual(["good"]);
  expect(fixing.priceNanoUsd).toBe(2_000_000_000n);
});

test("a usable observation counts at least one ppm, so that the faintest and oldest alone still makes a fixing", () => {
  const faint = anObservation("faint", 2, { confidencePpm: 1n, ageMs: 24 * HOUR_MS });
  expect(fix([faint])).toMatchObject({ priceNanoUsd: 2_000_000_000n, components: [{ weightPpm: 1n }] });
});

test("of two equal lowest prices it is the first id that is trimmed, whichever arrived first", () => {
  const rest = Array.from({ length: 8 }, (_, index) => anObservation(`m${index}`, 3));
  const strong = anObservation("strong", 2);
  const weak = anObservation("weak", 2, { confidencePpm: 100_000n });
  expect(fix([weak, strong, ...rest])).toEqual(fix([strong, weak, ...rest]));
  expect(fix([weak, strong, ...rest]).components[0]).toMatchObject({ observationId: "strong", trimmed: true });
});

test("of ten observations the lowest and the highest are trimmed, of nine none", () => {
  const middle = Array.from({ length: 8 }, (_, index) => anObservation(`m${index}`, 2.5));
  const low = anObservation("low", 0.01);
  const high = anObservation("high", 1_000);
  const ten = fix([high, ...middle, low]);
  expect(ten.priceNanoUsd).toBe(2_500_000_000n);
  expect(ten.components.filter((component) => component.trimmed).map((component) => component.observationId)).toEqual([
    "low",
    "high",
  ]);
  expect(fix([high, ...middle]).components.some((component) => component.trimmed)).toBe(false);
});

test.each([
  [10, 3_125_000_000n],
  [1, 1_875_000_000n],
])("a jump from $2.50 to $%s moves a quarter and is flagged", (priceUsd, guarded) => {
  expect(fix([anObservation("a", priceUsd)], 2_500_000_000n)).toMatchObject({
    priceNanoUsd: guarded,
    flags: ["JUMP_GUARDED"],
  });
});

test("a move of exactly a quarter passes without a flag", () => {
  expect(fix([anObservation("a", 5)], 4_000_000_000n)).toMatchObject({ priceNanoUsd: 5_000_000_000n, flags: [] });
  expect(fix([anObservation("a", 3)], 4_000_000_000n)).toMatchObject({ priceNanoUsd: 3_000_000_000n, flags: [] });
});

test("without a usable observation the previous fixing stands, flagged stale", () => {
  const old = anObservation("old", 9, { ageMs: 25 * HOUR_MS });
  expect(fix([old], 2_500_000_000n)).toEqual({ priceNanoUsd: 2_500_000_000n, flags: ["STALE"], components: [] });
});

test("without a usable observation and without a previous fixing there is none", () => {
  expect(computeFixing([], { at: AT, previousNanoUsd: null })).toBeNull();
});

test("the fixing lies within the kept observations, and can be computed again from its components", () => {
  fc.assert(
    fc.property(someObservations, (observations) => {
      const fixing = computeFixing(observations, { at: AT, previousNanoUsd: null });
      if (fixing === null) return;
      const kept = fixing.components.filter((component) => !component.trimmed);
      expect(fixing.priceNanoUsd >= kept[0]!.priceNanoUsd).toBe(true);
      expect(fixing.priceNanoUsd <= kept.at(-1)!.priceNanoUsd).toBe(true);
      const weightSum = kept.reduce((sum, component) => sum + component.weightPpm, 0n);
      const weighted = kept.reduce((sum, component) => sum + component.priceNanoUsd * component.weightPpm, 0n);
      const doubledError = 2n * (fixing.priceNanoUsd * weightSum - weighted);
      expect(doubledError <= weightSum && -doubledError <= weightSum).toBe(true);
    }),
  );
});

test("the same number is trimmed at both ends, a tenth of the count cut down", () => {
  fc.assert(
    fc.property(someObservations, (observations) => {
      const components = computeFixing(observations, { at: AT, previousNanoUsd: null })?.components ?? [];
      const cut = Math.floor(components.length / 10);
      components.forEach((component, rank) => {
        expect(component.trimmed).toBe(rank < cut || rank >= components.length - cut);
      });
    }),
  );
});

test("with a previous fixing the price never moves by more than a quarter, and is flagged only when it would have", () => {
  fc.assert(
    fc.property(someObservations, fc.bigInt({ min: 1n, max: 20n * NANO }), (observations, previous) => {
      const guarded = fix(observations, previous);
      const move = guarded.priceNanoUsd - previous;
      expect(4n * move <= previous && -4n * move <= previous).toBe(true);
      const free = computeFixing(observations, { at: AT, previousNanoUsd: null });
      if (free === null) expect(guarded.flags).toEqual(["STALE"]);
      else expect(guarded.flags).toEqual(free.priceNanoUsd === guarded.priceNanoUsd ? [] : ["JUMP_GUARDED"]);
    }),
  );
});

test("the order in which observations arrive changes nothing", () => {
  const shuffled = someObservations.chain((observations) =>
    fc.tuple(
      fc.constant(observations),
      fc.shuffledSubarray(observations, { minLength: observations.length, maxLength: observations.length }),
    ),
  );
  fc.assert(
    fc.property(shuffled, ([observations, reordered]) => {
      expect(computeFixing(reordered, { at: AT, previousNanoUsd: NANO })).toEqual(
        computeFixing(observations, { at: AT, previousNanoUsd: NANO }),
      );
    }),
  );
});

test.each([
  { ttlMs: 0 },
  { ttlMs: 0.5 },
  { trimPpm: 500_000n },
  { trimPpm: -1n },
  { maxMovePpm: -1n },
  { maxMovePpm: PPM + 1n },
  { previousNanoUsd: 0n },
])("the option %p is refused", (option) => {
  expect(() => computeFixing([anObservation("a", 2)], { at: AT, previousNanoUsd: null, ...option })).toThrow(
    RangeError,
  );
});
