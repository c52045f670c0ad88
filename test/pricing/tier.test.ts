/** Shares and tier edges are exact under every reading of the card. */
import fc from "fast-check";
import { type RateCard, STANDARD_RATE_CARD_TERMS, sharePpm } from "../../src/pricing/rate-card";
import { GPU_HOUR_NANOS, tierFor } from "../../src/pricing/tier";

const terms = STANDARD_RATE_CARD_TERMS;

test("the standard shares are 85, 86.7 and 88.4 percent relative, and 85, 87 and 89 in points", () => {
  const shares = (premiumReading: RateCard["premiumReading"]) =>
    terms.tiers.map((tier) => sharePpm({ ...terms, premiumReading }, tier));
  expect(shares("RELATIVE")).toEqual([850_000n, 867_000n, 884_000n, 884_000n]);
  expect(shares("POINTS")).toEqual([850_000n, 870_000n, 890_000n, 890_000n]);
});

test("a relative share that is no whole ppm rounds half-even", () => {
  expect(sharePpm({ baseSharePpm: 500_000n, premiumReading: "RELATIVE" }, { premiumPpm: 1n })).toBe(500_000n);
  expect(sharePpm({ baseSharePpm: 500_000n, premiumReading: "RELATIVE" }, { premiumPpm: 3n })).toBe(500_002n);
});

test("the standard card's tiers are ordered and only the last is open and negotiated", () => {
  expect(terms.tiers.map((tier) => tier.position)).toEqual([1, 2, 3, 4]);
  expect(terms.tiers.map((tier) => tier.upToGpuHours)).toEqual([10_000n, 50_000n, 200_000n, null]);
  expect(terms.tiers.map((tier) => tier.negotiated)).toEqual([false, false, false, true]);
});

test.each([
  [10_000n, 1],
  [50_000n, 2],
  [200_000n, 3],
])("exactly %s hours stay in their tier and one GPU-nanosecond more is the next", (hours, position) => {
  expect(tierFor(terms, hours * GPU_HOUR_NANOS).position).toBe(position);
  expect(tierFor(terms, hours * GPU_HOUR_NANOS + 1n).position).toBe(position + 1);
});

test("a month without hours is base, and no month is beyond the last tier", () => {
  expect(tierFor(terms, 0n).position).toBe(1);
  expect(tierFor(terms, 10n ** 30n).position).toBe(4);
});

test("more hours never reach a lower tier", () => {
  const aMonth = fc.bigInt({ min: 0n, max: 400_000n * GPU_HOUR_NANOS });
  fc.assert(
    fc.property(aMonth, aMonth, (a, b) => {
      const [fewer, more] = a < b ? [a, b] : [b, a];
      return tierFor(terms, fewer).position <= tierFor(terms, more).position;
    }),
  );
});

test("negative time and a card without an open last tier are refused", () => {
  expect(() => tierFor(terms, -1n)).toThrow(RangeError);
  expect(() => tierFor({ tiers: terms.tiers.slice(0, 3) }, 200_000n * GPU_HOUR_NANOS + 1n)).toThrow(/no upper edge/);
});
