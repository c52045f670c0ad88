/** A charge always sets free enough funding to pay the provider, and never more than was funded. */
import fc from "fast-check";
import { NANO, PPM } from "../../src/money/nano";
import { type RateCard, STANDARD_RATE_CARD_TERMS, sharePpm } from "../../src/pricing/rate-card";
import { accrualNanoUsd, chargeNanoCredit, releaseNanoUsd } from "../../src/pricing/settlement";
import { GPU_HOUR_NANOS } from "../../src/pricing/tier";

const terms = STANDARD_RATE_CARD_TERMS;
const someGpuTime = fc.oneof(
  fc.bigInt({ min: 0n, max: 10_000n }),
  fc.bigInt({ min: 0n, max: 400_000n * GPU_HOUR_NANOS }),
);
const aFixing = fc.oneof(fc.bigInt({ min: 1n, max: 20n * NANO }), fc.bigInt({ min: 1n, max: 10_000n * NANO }));
const aMultiplier = fc.oneof(fc.constantFrom(1_250_000n, 1_500_000n), fc.bigInt({ min: 1_250_000n, max: 1_500_000n }));
const aPremiumReading = fc.constantFrom<RateCard["premiumReading"]>("RELATIVE", "POINTS");

test("one GPU-hour at $2.50 charges 3.375 credits, owes $2.125, and releases $2.25 of a 1.50× facility", () => {
  const charge = chargeNanoCredit(GPU_HOUR_NANOS, 2_500_000_000n, terms);
  expect(charge).toBe(3_375_000_000n);
  expect(accrualNanoUsd(GPU_HOUR_NANOS, 2_500_000_000n, 850_000n)).toBe(2_125_000_000n);
  expect(releaseNanoUsd(charge, 1_500_000n)).toBe(2_250_000_000n);
});

test("charge and accrual round half-even, the release always down", () => {
  // One nano-dollar an hour for half an hour and for one and a half: both exactly on the half at a share of 100 %.
  expect(accrualNanoUsd(GPU_HOUR_NANOS / 2n, 1n, PPM)).toBe(0n);
  expect(accrualNanoUsd((GPU_HOUR_NANOS * 3n) / 2n, 1n, PPM)).toBe(2n);
  expect(chargeNanoCredit(GPU_HOUR_NANOS / 2n, 1n, { redemptionFactorPpm: PPM })).toBe(0n);
  expect(chargeNanoCredit((GPU_HOUR_NANOS * 3n) / 2n, 1n, { redemptionFactorPpm: PPM })).toBe(2n);
  expect(releaseNanoUsd(14n, 1_500_000n)).toBe(9n);
});

test("the platform stays solvent: a release pays the accrual, at every multiplier and every standard tier", () => {
  fc.assert(
    fc.property(
      someGpuTime,
      aFixing,
      aMultiplier,
      aPremiumReading,
      fc.constantFrom(...terms.tiers),
      (gpuNanos, fixing, multiplierPpm, premiumReading, tier) => {
        const accrual = accrualNanoUsd(gpuNanos, fixing, sharePpm({ ...terms, premiumReading }, tier));
        const release = releaseNanoUsd(chargeNanoCredit(gpuNanos, fixing, terms), multiplierPpm);
        // One nano: charge and accrual may each round against us by a half, the release by less than one.
        return release >= accrual - 1n;
      },
    ),
    { numRuns: 1_000 },
  );
});

test("at a thousandth of a cent and more the release pays the accrual in full", () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: GPU_HOUR_NANOS / 100_000n, max: 400_000n * GPU_HOUR_NANOS }),
      fc.bigInt({ min: NANO, max: 20n * NANO }),
      aMultiplier,
      (gpuNanos, fixing, multiplierPpm) => {
        const accrual = accrualNanoUsd(gpuNanos, fixing, 890_000n);
        return releaseNanoUsd(chargeNanoCredit(gpuNanos, fixing, terms), multiplierPpm) >= accrual;
      },
    ),
  );
});

test("however a funded dollar's credits are cut into charges, no more than the dollar is released", () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 1n, max: 1_000_000n * NANO }),
      aMultiplier,
      fc.array(fc.bigInt({ min: 1n, max: PPM }), { maxLength: 30 }),
      (fundedNanoUsd, multiplierPpm, cuts) => {
        let leftNanoCredit = (fundedNanoUsd * multiplierPpm) / PPM;
        let releasedNanoUsd = 0n;
        for (const cut of cuts) {
          const charge = (leftNanoCredit * cut) / PPM;
          leftNanoCredit -= charge;
          releasedNanoUsd += releaseNanoUsd(charge, multiplierPpm);
        }
        return releasedNanoUsd + releaseNanoUsd(leftNanoCredit, multiplierPpm) <= fundedNanoUsd;
      },
    ),
  );
});

test("more GPU time never costs, earns or releases less", () => {
  fc.assert(
    fc.property(someGpuTime, someGpuTime, aFixing, (gpuNanos, extra, fixing) => {
      const charge = chargeNanoCredit(gpuNanos, fixing, terms);
      const longer = chargeNanoCredit(gpuNanos + extra, fixing, terms);
      expect(longer >= charge).toBe(true);
      expect(releaseNanoUsd(longer, 1_500_000n) >= releaseNanoUsd(charge, 1_500_000n)).toBe(true);
      const accruals = [gpuNanos, gpuNanos + extra].map((time) => accrualNanoUsd(time, fixing, 850_000n));
      expect(accruals[1]! >= accruals[0]!).toBe(true);
    }),
  );
});

test("a multiplier of zero or less is refused", () => {
  expect(() => releaseNanoUsd(1n, 0n)).toThrow(RangeError);
  expect(() => releaseNanoUsd(1n, -1_500_000n)).toThrow(RangeError);
});
