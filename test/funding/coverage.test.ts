/** What a facility's dollars cover, and that a drawdown is refused exactly where they no longer would. */
import fc from "fast-check";
import {
  afterDrawing,
  checkCoverage,
  costPpm,
  coveragePpm,
  coveredAmount,
  coveredMultiplierPpm,
  type IssuanceTerms,
  isCovered,
  issuanceCoveragePpm,
  type Position,
  sumOf,
  worstCost,
} from "../../src/funding/coverage";
import { costBasisPpm, creditFor, splitFee } from "../../src/funding/facility-rules";
import { type RateCardTerms, STANDARD_RATE_CARD_TERMS as STANDARD, sharePpm } from "../../src/pricing/rate-card";
import { accrualNanoUsd, chargeNanoCredit, releaseNanoUsd } from "../../src/pricing/settlement";

const NOTHING: Position = { backingNanoUsd: 0n, outstandingNanoCredit: 0n };
const USD = 1_000_000_000n;
const CENT = USD / 100n;
const cost = worstCost([STANDARD]);
const terms = (multiplierPpm: bigint, originationFeePpm = 0n): IssuanceTerms => ({
  multiplierPpm,
  originationFeePpm,
  coverageFloorPpm: 1_000_000n,
});

const aMultiplier = fc.bigInt({ min: 1_250_000n, max: 1_500_000n });
const aFee = fc.bigInt({ min: 0n, max: 50_000n });
const anAmount = fc.bigInt({ min: 1_000n, max: 1_000_000_000n * USD });
const aCost = fc.record({
  sharePpm: fc.bigInt({ min: 500_000n, max: 990_000n }),
  redemptionFactorPpm: fc.bigInt({ min: 1_000_000n, max: 2_000_000n }),
});
const aPosition = fc.record({ backingNanoUsd: anAmount, outstandingNanoCredit: anAmount });

test("with the standard card 1.50 covers 1.018 of the worst case, and 0.987 once a fee of 3 % is taken", () => {
  expect(cost).toEqual({ sharePpm: 884_000n, redemptionFactorPpm: 1_350_000n });
  expect(costPpm(cost)).toBe(654_815n);
  expect(issuanceCoveragePpm(terms(1_500_000n), cost)).toBe(1_018_099n);
  expect(issuanceCoveragePpm(terms(1_500_000n, 30_000n), cost)).toBe(987_556n);
});

test("the dearest tier of the dearest card counts, negotiated or not, whatever the order", () => {
  const negotiated: RateCardTerms = {
    ...STANDARD,
    tiers: [...STANDARD.tiers.slice(0, 3), { ...STANDARD.tiers[3]!, premiumPpm: 60_000n }],
  };
  const cheaper: RateCardTerms = { ...negotiated, redemptionFactorPpm: 1_400_000n };
  const dear = { sharePpm: 901_000n, redemptionFactorPpm: 1_350_000n };
  expect(worstCost([STANDARD, negotiated, cheaper])).toEqual(dear);
  expect(worstCost([cheaper, negotiated, STANDARD])).toEqual(dear);
  expect(worstCost([{ ...STANDARD, premiumReading: "POINTS" }]).sharePpm).toBe(890_000n);
  expect(() => worstCost([])).toThrow(RangeError);
});

test("a drawdown below the floor is refused with the figures and what would be covered", () => {
  const draw = () => checkCoverage(NOTHING, terms(1_500_000n, 30_000n), cost, 100n * USD);
  expect(draw).toThrow(
    expect.objectContaining({
      code: "COVERAGE_BELOW_FLOOR",
      message:
        "After this drawdown 97 USD would stand behind 150 CRD, which may cost providers up to 0.654815 USD each: " +
        "a coverage of 0.987556, below the floor of 1. With these fees a multiplier of up to 1.481334 would be covered.",
      details: {
        coveragePpm: "987556",
        floorPpm: "1000000",
        backingNanoUsd: "97000000000",
        outstandingNanoCredit: "150000000000",
        worstCostPpm: "654815",
        requestedNanoUsd: "100000000000",
        fittingNanoUsd: "0",
        coveredMultiplierPpm: "1481334",
      },
    }),
  );
  expect(() => checkCoverage(NOTHING, terms(1_500_000n), cost, 100n * USD)).not.toThrow();
  expect(() => checkCoverage(NOTHING, terms(1_481_334n, 30_000n), cost, 100n * USD)).not.toThrow();
  expect(() => checkCoverage(NOTHING, terms(1_481_335n, 30_000n), cost, 100n * USD)).toThrow();
});

test("what earlier lots have to spare covers a later one up to the amount that the refusal names, and no cent more", () => {
  const spare: Position = { backingNanoUsd: 1_000n * USD, outstandingNanoCredit: 1_500n * USD };
  const thin = terms(1_500_000n, 50_000n);
  const fitting = coveredAmount(spare, thin, cost, 10_000n * USD);
  expect(fitting).toBeGreaterThan(500n * USD);
  expect(() => checkCoverage(spare, thin, cost, fitting)).not.toThrow();
  expect(() => checkCoverage(spare, thin, cost, fitting + CENT)).toThrow(
    expect.objectContaining({ details: expect.objectContaining({ fittingNanoUsd: fitting.toString() }) }),
  );
});

test("for any facility the amount that fits keeps the floor, and a cent more breaks it or is more than was asked for", () => {
  fc.assert(
    fc.property(aPosition, aMultiplier, aFee, aCost, anAmount, (position, multiplierPpm, fee, cost, asked) => {
      const issuance = terms(multiplierPpm, fee);
      const fits = coveredAmount(position, issuance, cost, asked);
      const keeps = (amount: bigint) =>
        isCovered(coveragePpm(afterDrawing(position, issuance, amount), cost), 1_000_000n);
      if (fits > 0n) expect(keeps(fits)).toBe(true);
      const more = fits + CENT < asked ? fits + CENT : asked;
      if (fits < asked && keeps(0n)) expect(keeps(more)).toBe(false);
    }),
  );
});

test("coverage grows with backing and shrinks with credits outstanding and with what they may cost", () => {
  fc.assert(
    fc.property(aPosition, aCost, anAmount, (position, cost, more) => {
      const ratio = coveragePpm(position, cost)!;
      const { backingNanoUsd, outstandingNanoCredit } = position;
      expect(coveragePpm({ ...position, backingNanoUsd: backingNanoUsd + more }, cost)! >= ratio).toBe(true);
      expect(coveragePpm({ ...position, outstandingNanoCredit: outstandingNanoCredit + more }, cost)! <= ratio).toBe(
        true,
      );
      expect(coveragePpm(position, { ...cost, sharePpm: cost.sharePpm + 1n })! <= ratio).toBe(true);
      expect(coveragePpm(position, { ...cost, redemptionFactorPpm: cost.redemptionFactorPpm + 1n })! >= ratio).toBe(
        true,
      );
    }),
  );
});

test("a ratio is never flattered by rounding: what it says is covered is there, to the nano-dollar", () => {
  fc.assert(
    fc.property(aPosition, aCost, (position, cost) => {
      const ratio = coveragePpm(position, cost)!;
      const owed = position.outstandingNanoCredit * cost.sharePpm * ratio;
      expect(position.backingNanoUsd * cost.redemptionFactorPpm * 1_000_000n >= owed).toBe(true);
      expect(costPpm(cost) * cost.redemptionFactorPpm >= cost.sharePpm * 1_000_000n).toBe(true);
    }),
  );
});

test("several facilities together cover what lies between the best and the worst of them", () => {
  fc.assert(
    fc.property(fc.array(aPosition, { minLength: 1, maxLength: 6 }), aCost, (positions, cost) => {
      const ratios = positions.map((position) => coveragePpm(position, cost)!);
      const all = coveragePpm(sumOf(positions), cost)!;
      expect(all >= ratios.reduce((a, b) => (a < b ? a : b))).toBe(true);
      // Each ratio is cut to whole ppm, the sum's too.
      expect(all <= ratios.reduce((a, b) => (a > b ? a : b)) + 1n).toBe(true);
    }),
  );
});

test("whatever the fixing, spending costs providers no more than the worst cost per credit: the level cancels out", () => {
  const fixing = fc.bigInt({ min: 100_000_000n, max: 20n * USD });
  const time = fc.bigInt({ min: 1_000_000_000n, max: 3_600_000_000_000n * 100n });
  fc.assert(
    fc.property(fixing, time, fc.constantFrom(...STANDARD.tiers), (fixingNanoUsd, gpuNanos, tier) => {
      const charge = chargeNanoCredit(gpuNanos, fixingNanoUsd, STANDARD);
      const accrual = accrualNanoUsd(gpuNanos, fixingNanoUsd, sharePpm(STANDARD, tier));
      // Half a nano-dollar of the accrual's rounding, and the cost of half a nano-credit of the charge's.
      expect(
        2n * accrual * cost.redemptionFactorPpm <= (2n * charge + 1n) * cost.sharePpm + cost.redemptionFactorPpm,
      ).toBe(true);
    }),
  );
});

test("where a drawdown is covered, spending all of its credit releases enough for the dearest provider", () => {
  fc.assert(
    fc.property(anAmount, aMultiplier, aFee, (amount, multiplierPpm, fee) => {
      fc.pre(isCovered(coveragePpm(afterDrawing(NOTHING, terms(multiplierPpm, fee), amount), cost), 1_000_000n));
      const credit = creditFor(amount, multiplierPpm);
      const basis = costBasisPpm(credit, splitFee(amount, fee).netNanoUsd);
      const release = releaseNanoUsd(credit, basis);
      const owed = (credit * cost.sharePpm) / cost.redemptionFactorPpm;
      // The basis is cut to a millionth: it may keep back that share of the release, never give more.
      expect(release + release / 1_000_000n + 2n >= owed).toBe(true);
    }),
  );
});

test("the highest covered multiplier is covered, and where a higher one exists it is not", () => {
  fc.assert(
    fc.property(aFee, aCost, (originationFeePpm, cost) => {
      const highest = coveredMultiplierPpm({ originationFeePpm, coverageFloorPpm: 1_000_000n }, cost);
      fc.pre(highest > 0n);
      const at = (ppm: bigint) => issuanceCoveragePpm({ multiplierPpm: ppm, originationFeePpm }, cost)!;
      expect(at(highest) >= 1_000_000n).toBe(true);
      if (highest < 1_500_000n) expect(at(highest + 1n) < 1_000_000n).toBe(true);
    }),
  );
});

test("of credits that nobody holds nothing is asked", () => {
  expect(coveragePpm({ backingNanoUsd: 5n, outstandingNanoCredit: 0n }, cost)).toBeNull();
  expect(isCovered(null, 1_000_000n)).toBe(true);
});
