/** A statement's lines come to what the public calculator says of the same GPU time, and never to less than nothing. */
import fc from "fast-check";
import { NANO } from "../../src/money/nano";
import { type RateCard, STANDARD_RATE_CARD_TERMS, sharePpm } from "../../src/pricing/rate-card";
import { monthRevenue, providerRevenue } from "../../src/pricing/revenue";
import { accrualNanoUsd } from "../../src/pricing/settlement";
import { GPU_HOUR_NANOS, tierFor } from "../../src/pricing/tier";
import { type Month, statementLines, sumOf, trueUpNanoUsd } from "../../src/statements/lines";
import type { UsageGroup } from "../../src/statements/month-usage";

const aCard = (tierReading: RateCard["tierReading"], premiumReading: RateCard["premiumReading"]): RateCard => ({
  ...STANDARD_RATE_CARD_TERMS,
  id: "card",
  version: 1,
  effectiveAt: new Date(0),
  tierReading,
  premiumReading,
});
const anyCard = fc
  .tuple(
    fc.constantFrom("VOLUME" as const, "GRADUATED" as const),
    fc.constantFrom("RELATIVE" as const, "POINTS" as const),
  )
  .map(([tiers, premium]) => aCard(tiers, premium));
/** From a request of a moment to a job over the edge of a tier. */
const anyRequest = fc.oneof(
  fc.bigInt({ min: 0n, max: 10_000_000_000n }),
  fc.bigInt({ min: 0n, max: 30_000n * GPU_HOUR_NANOS }),
);
const aFixing = fc.bigInt({ min: 1n, max: 20n * NANO });

/** The month as settlement leaves it: each request accrued, and rounded, at the tier that the month had reached with it. */
function settled(card: RateCard, price: bigint, requests: readonly bigint[]): UsageGroup[] {
  const groups = new Map<bigint, UsageGroup>();
  let month = 0n;
  for (const gpuNanos of requests) {
    month += gpuNanos;
    const share = sharePpm(card, tierFor(card, month));
    const before = groups.get(share) ?? group(price, share);
    groups.set(share, {
      ...before,
      requests: before.requests + 1,
      gpuNanos: before.gpuNanos + gpuNanos,
      accruedNanoUsd: before.accruedNanoUsd + accrualNanoUsd(gpuNanos, price, share),
    });
  }
  return [...groups.values()];
}

const group = (priceNanoUsd: bigint, share: bigint): UsageGroup => ({
  fixingId: `fixing at ${priceNanoUsd}`,
  priceNanoUsd,
  rateCardId: "card",
  accelerator: "H100",
  region: "eu-north",
  segment: "SEED",
  workload: "INFERENCE",
  sharePpm: share,
  requests: 0,
  gpuNanos: 0n,
  accruedNanoUsd: 0n,
});

const month = (used: readonly UsageGroup[], card: RateCard, changes: Partial<Month> = {}): Month => ({
  used,
  cards: new Map([["card", card]]),
  accruedByEndpoint: new Map(),
  uptime: [],
  claims: [],
  creditNotes: [],
  releases: [],
  holdbackPpm: 0n,
  ...changes,
});
const note = (id: string, amountNanoUsd: bigint) => ({ id, amountNanoUsd, reason: "a correction" });

test("a month at one fixing comes to exactly what the calculator says of its GPU time, under every reading", () => {
  fc.assert(
    fc.property(anyCard, aFixing, fc.array(anyRequest, { minLength: 1, maxLength: 40 }), (card, price, requests) => {
      const lines = statementLines(month(settled(card, price, requests), card));
      const time = requests.reduce((sum, gpuNanos) => sum + gpuNanos, 0n);
      expect(sumOf(lines)).toBe(providerRevenue(card, price, time).totalNanoUsd);
    }),
    { numRuns: 500 },
  );
});

test("a month of one request needs no true-up; a month of many has at most half a nano-dollar of dust per request below a tier's edge", () => {
  const card = aCard("VOLUME", "RELATIVE");
  fc.assert(
    fc.property(
      aFixing,
      fc.array(fc.bigInt({ min: 0n, max: 10n * GPU_HOUR_NANOS }), { minLength: 1, maxLength: 40 }),
      (price, requests) => {
        const dust = trueUpNanoUsd(settled(card, price, requests), new Map([["card", card]]));
        expect((dust < 0n ? -dust : dust) * 2n <= BigInt(requests.length + 1)).toBe(true);
        expect(trueUpNanoUsd(settled(card, price, requests.slice(0, 1)), new Map([["card", card]]))).toBe(0n);
      },
    ),
  );
});

test("under VOLUME every hour of the month is paid at the tier reached, whichever fixing it was delivered at", () => {
  const card = aCard("VOLUME", "POINTS");
  const parts = [
    { card, fixingNanoUsdPerGpuHour: 2n * NANO, gpuNanos: 10_000n * GPU_HOUR_NANOS },
    { card, fixingNanoUsdPerGpuHour: 3n * NANO, gpuNanos: 1n },
  ];
  expect(monthRevenue(parts).lines.map(({ sharePpm }) => sharePpm)).toEqual([870_000n, 870_000n]);
  expect(monthRevenue(parts.slice(0, 1)).lines.map(({ sharePpm }) => sharePpm)).toEqual([850_000n]);
});

test("under GRADUATED the first hours fill the first tier, and a part over an edge is split exactly there", () => {
  const card = aCard("GRADUATED", "POINTS");
  const hours = (count: bigint) => count * GPU_HOUR_NANOS;
  const parts = [
    { card, fixingNanoUsdPerGpuHour: 2n * NANO, gpuNanos: hours(9_000n) },
    { card, fixingNanoUsdPerGpuHour: 3n * NANO, gpuNanos: hours(2_000n) },
    { card, fixingNanoUsdPerGpuHour: 4n * NANO, gpuNanos: hours(40_000n) },
  ];
  expect(monthRevenue(parts).lines.map(({ tier, gpuNanos }) => [tier.position, gpuNanos / GPU_HOUR_NANOS])).toEqual([
    [1, 9_000n],
    [1, 1_000n],
    [2, 1_000n],
    [2, 39_000n],
    [3, 1_000n],
  ]);
});

test("a month cut into parts at one fixing earns what it earns whole, but for the rounding of the cuts", () => {
  fc.assert(
    fc.property(anyCard, aFixing, fc.array(anyRequest, { minLength: 1, maxLength: 20 }), (card, price, cuts) => {
      const parts = cuts.map((gpuNanos) => ({ card, fixingNanoUsdPerGpuHour: price, gpuNanos }));
      const whole = providerRevenue(
        card,
        price,
        cuts.reduce((sum, time) => sum + time, 0n),
      );
      const cut = monthRevenue(parts);
      const off = cut.totalNanoUsd - whole.totalNanoUsd;
      expect((off < 0n ? -off : off) <= BigInt(cut.lines.length + whole.lines.length)).toBe(true);
      expect(cut.lines.reduce((sum, line) => sum + line.gpuNanos, 0n)).toBe(cuts.reduce((sum, time) => sum + time, 0n));
    }),
  );
});

test("negative credit notes take only what there is, the oldest first, and a holdback only of the rest", () => {
  const card = aCard("VOLUME", "RELATIVE");
  const used = settled(card, NANO, [100n * GPU_HOUR_NANOS]);
  const lines = statementLines(
    month(used, card, {
      creditNotes: [note("in favour", 5n * NANO), note("first", -60n * NANO), note("second", -40n * NANO)],
      holdbackPpm: 100_000n,
    }),
  );
  expect(lines.map(({ kind, sourceId, amountNanoUsd }) => [kind, sourceId, amountNanoUsd])).toEqual([
    ["ACCRUAL", null, 85n * NANO],
    ["CREDIT_NOTE", "in favour", 5n * NANO],
    ["CREDIT_NOTE", "first", -60n * NANO],
    ["CREDIT_NOTE", "second", -30n * NANO],
  ]);
  const kept = statementLines(month(used, card, { creditNotes: [note("first", -5n * NANO)], holdbackPpm: 100_000n }));
  expect(kept.at(-1)).toMatchObject({ kind: "HOLDBACK", amountNanoUsd: -8n * NANO, sharePpm: 100_000n });
});

test("whatever comes together, the sum is never below nothing, and no line is over nothing", () => {
  const anyNotes = fc.array(
    fc.bigInt({ min: -100n * NANO, max: 100n * NANO }).filter((amount) => amount !== 0n),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(
      anyCard,
      aFixing,
      fc.array(anyRequest, { maxLength: 10 }),
      anyNotes,
      fc.integer({ min: 0, max: 43_200 }),
      fc.bigInt({ min: 0n, max: 500_000n }),
      (card, price, requests, amounts, badMinutes, holdbackPpm) => {
        const used = settled(card, price, requests);
        const accrued = used.reduce((sum, { accruedNanoUsd }) => sum + accruedNanoUsd, 0n);
        const lines = statementLines(
          month(used, card, {
            accruedByEndpoint: new Map([["e", accrued]]),
            uptime: [{ endpointId: "e", slaTier: "STANDARD", targetPpm: 995_000, eligibleMinutes: 43_200, badMinutes }],
            creditNotes: amounts.map((amount, index) => note(String(index), amount)),
            holdbackPpm,
          }),
        );
        expect(sumOf(lines) >= 0n).toBe(true);
        expect(lines.filter(({ kind, amountNanoUsd }) => kind !== "ACCRUAL" && amountNanoUsd === 0n)).toEqual([]);
      },
    ),
  );
});
