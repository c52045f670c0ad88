/** The public calculator pays what settlement pays, under every reading of the tier table. */
import fc from "fast-check";
import { NANO } from "../../src/money/nano";
import { type RateCard, STANDARD_RATE_CARD_TERMS, sharePpm } from "../../src/pricing/rate-card";
import { providerRevenue, type RevenueTerms } from "../../src/pricing/revenue";
import { accrualNanoUsd } from "../../src/pricing/settlement";
import { GPU_HOUR_NANOS, tierFor } from "../../src/pricing/tier";

const SPOT = 2_500_000_000n;
const hours = (count: bigint) => count * GPU_HOUR_NANOS;

function aCard(tierReading: RateCard["tierReading"], premiumReading: RateCard["premiumReading"]): RevenueTerms {
  return { ...STANDARD_RATE_CARD_TERMS, tierReading, premiumReading };
}

const anyCard = fc
  .tuple(
    fc.constantFrom<RateCard["tierReading"]>("VOLUME", "GRADUATED"),
    fc.constantFrom<RateCard["premiumReading"]>("RELATIVE", "POINTS"),
  )
  .map(([tierReading, premiumReading]) => aCard(tierReading, premiumReading));
const aMonth = fc.bigInt({ min: 0n, max: hours(400_000n) });
const aFixing = fc.bigInt({ min: 1n, max: 20n * NANO });

function gainOfCrossing(card: RevenueTerms): bigint {
  const before = providerRevenue(card, SPOT, hours(10_000n)).totalNanoUsd;
  return providerRevenue(card, SPOT, hours(10_001n)).totalNanoUsd - before;
}

test.each([
  ["VOLUME", "POINTS", 502_175_000_000n],
  ["VOLUME", "RELATIVE", 427_167_500_000n],
  ["GRADUATED", "POINTS", 2_175_000_000n],
  ["GRADUATED", "RELATIVE", 2_167_500_000n],
] as const)(
  "at $2.50 the hour after the 10,000th is worth, read as %s and %s, %s nano-dollars",
  (tiers, premium, gain) => {
    expect(gainOfCrossing(aCard(tiers, premium))).toBe(gain);
  },
);

test("a volume month is one line at the tier reached", () => {
  const revenue = providerRevenue(aCard("VOLUME", "RELATIVE"), SPOT, hours(60_000n));
  expect(revenue.lines).toEqual([
    { tier: revenue.tier, gpuNanos: hours(60_000n), sharePpm: 884_000n, amountNanoUsd: 132_600n * NANO },
  ]);
  expect(revenue.tier.position).toBe(3);
  expect(revenue.totalNanoUsd).toBe(132_600n * NANO);
  expect(revenue.effectiveNanoUsdPerGpuHour).toBe(2_210_000_000n);
});

test("a graduated month is one line per tier touched, up to the tier reached", () => {
  const revenue = providerRevenue(aCard("GRADUATED", "RELATIVE"), SPOT, hours(60_000n));
  expect(revenue.lines.map((line) => [line.tier.position, line.gpuNanos, line.amountNanoUsd])).toEqual([
    [1, hours(10_000n), 21_250n * NANO],
    [2, hours(40_000n), 86_700n * NANO],
    [3, hours(10_000n), 22_100n * NANO],
  ]);
  expect(revenue.tier.position).toBe(3);
});

test("a graduated month that ends exactly on an edge does not touch the next tier", () => {
  const card = aCard("GRADUATED", "RELATIVE");
  expect(providerRevenue(card, SPOT, hours(10_000n)).lines).toHaveLength(1);
  expect(providerRevenue(card, SPOT, hours(10_000n) + 1n).lines).toHaveLength(2);
  expect(providerRevenue(card, SPOT, hours(200_000n) + 1n).lines.at(-1)).toMatchObject({ gpuNanos: 1n });
});

test("the calculator equals settlement: every line is the accrual of its time at its tier's share", () => {
  fc.assert(
    fc.property(anyCard, aFixing, aMonth, (card, fixing, month) => {
      const revenue = providerRevenue(card, fixing, month);
      for (const line of revenue.lines) {
        expect(line.sharePpm).toBe(sharePpm(card, line.tier));
        expect(line.amountNanoUsd).toBe(accrualNanoUsd(line.gpuNanos, fixing, line.sharePpm));
      }
      expect(revenue.tier).toBe(tierFor(card, month));
      expect(revenue.lines.at(-1)?.tier).toBe(revenue.tier);
      expect(revenue.lines.reduce((sum, line) => sum + line.gpuNanos, 0n)).toBe(month);
      expect(revenue.lines.reduce((sum, line) => sum + line.amountNanoUsd, 0n)).toBe(revenue.totalNanoUsd);
    }),
  );
});

test("a month settled request by request differs from the calculator by rounding only", () => {
  fc.assert(
    fc.property(
      fc.array(fc.bigInt({ min: 1n, max: hours(5n) }), { minLength: 1, maxLength: 50 }),
      aFixing,
      (requests, fixing) => {
        const card = aCard("VOLUME", "RELATIVE");
        const month = requests.reduce((sum, gpuNanos) => sum + gpuNanos, 0n);
        const share = sharePpm(card, tierFor(card, month));
        const settled = requests.reduce((sum, gpuNanos) => sum + accrualNanoUsd(gpuNanos, fixing, share), 0n);
        const difference = 2n * (settled - providerRevenue(card, fixing, month).totalNanoUsd);
        const halves = BigInt(requests.length + 1);
        return difference <= halves && -difference <= halves;
      },
    ),
  );
});

test("more hours never earn less, and volume never pays less than graduated", () => {
  fc.assert(
    fc.property(anyCard, aFixing, aMonth, aMonth, (card, fixing, month, extra) => {
      const total = (terms: RevenueTerms, gpuNanos: bigint) => providerRevenue(terms, fixing, gpuNanos).totalNanoUsd;
      expect(total(card, month + extra) >= total(card, month)).toBe(true);
      const volume = total({ ...card, tierReading: "VOLUME" }, month);
      // Graduated rounds up to four lines, so it may gain up to two nano over the one volume line.
      expect(volume + 2n >= total({ ...card, tierReading: "GRADUATED" }, month)).toBe(true);
    }),
  );
});

test("a month without hours earns nothing and shows the base rate", () => {
  for (const reading of ["VOLUME", "GRADUATED"] as const) {
    const revenue = providerRevenue(aCard(reading, "RELATIVE"), SPOT, 0n);
    expect(revenue.totalNanoUsd).toBe(0n);
    expect(revenue.effectiveNanoUsdPerGpuHour).toBe(2_125_000_000n);
    expect(revenue.lines).toHaveLength(1);
  }
});

test("negative time is refused", () => {
  expect(() => providerRevenue(aCard("VOLUME", "RELATIVE"), SPOT, -1n)).toThrow(RangeError);
});
