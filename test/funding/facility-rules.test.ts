/** How much credit a dollar becomes, and what a facility may be and give. */
import fc from "fast-check";
import {
  checkConcentration,
  checkLimit,
  checkMultiplier,
  checkTerms,
  costBasisPpm,
  creditFor,
  expiryOf,
  type FacilityTerms,
  splitFee,
} from "../../src/funding/facility-rules";
import { releaseNanoUsd } from "../../src/pricing/settlement";
import { refusal } from "../accounts/a-world";

const multiplier = fc.bigInt({ min: 1_250_000n, max: 1_500_000n });
const amount = fc.bigInt({ min: 1n, max: 1_000_000_000_000_000_000n });

test("a dollar at 1.40 is 1.40 credits, to the nano", () => {
  expect(creditFor(1_000_000_000n, 1_400_000n)).toBe(1_400_000_000n);
  expect([creditFor(1n, 1_500_000n), creditFor(3n, 1_500_000n)]).toEqual([2n, 4n]);
});

test("credit is within half a nano-credit of amount × multiplier", () => {
  fc.assert(
    fc.property(amount, multiplier, (nanoUsd, ppm) => {
      const error = creditFor(nanoUsd, ppm) * 1_000_000n - nanoUsd * ppm;
      expect(error >= -500_000n && error <= 500_000n).toBe(true);
    }),
  );
});

test("spending all of a lot never releases more dollars than were funded for it", () => {
  fc.assert(
    fc.property(amount, multiplier, (nanoUsd, ppm) => {
      expect(releaseNanoUsd(creditFor(nanoUsd, ppm), ppm)).toBeLessThanOrEqual(nanoUsd);
    }),
  );
});

test("the multiplier lies between 1.25 and 1.50, both included", async () => {
  const verdicts = [1_249_999n, 1_250_000n, 1_500_000n, 1_500_001n].map((ppm) => refusal(() => checkMultiplier(ppm)));
  expect(await Promise.all(verdicts)).toEqual([
    "MULTIPLIER_OUT_OF_BOUNDS multiplier",
    "nothing",
    "nothing",
    "MULTIPLIER_OUT_OF_BOUNDS multiplier",
  ]);
});

test("a facility gives its limit to the last nano-dollar, and says what is left when it refuses", () => {
  const facility = { limitNanoUsd: 100n, drawnNanoUsd: 40n };
  expect(() => checkLimit(facility, 60n)).not.toThrow();
  expect(() => checkLimit(facility, 61n)).toThrow(
    expect.objectContaining({
      code: "FACILITY_LIMIT_EXCEEDED",
      details: { limitNanoUsd: "100", drawnNanoUsd: "40", availableNanoUsd: "60", requestedNanoUsd: "61" },
    }),
  );
});

const fee = fc.bigInt({ min: 0n, max: 50_000n });

test("the fee and what stands behind the credits are the drawn dollars, to the nano", () => {
  fc.assert(
    fc.property(amount, fee, (nanoUsd, ppm) => {
      const { feeNanoUsd, netNanoUsd } = splitFee(nanoUsd, ppm);
      expect(feeNanoUsd + netNanoUsd).toBe(nanoUsd);
      const error = feeNanoUsd * 1_000_000n - nanoUsd * ppm;
      expect(error >= -500_000n && error <= 500_000n).toBe(true);
    }),
  );
});

test("however a lot is cut into charges, they never release more than stands behind it once the fee is taken", () => {
  const cuts = fc.array(fc.bigInt({ min: 1n, max: 1_000_000n }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(amount, multiplier, fee, cuts, (nanoUsd, ppm, feePpm, shares) => {
      const { netNanoUsd } = splitFee(nanoUsd, feePpm);
      fc.pre(netNanoUsd > 0n);
      const credit = creditFor(nanoUsd, ppm);
      const basis = costBasisPpm(credit, netNanoUsd);
      const all = shares.reduce((sum, share) => sum + share, 0n);
      const charges = shares.map((share) => (credit * share) / all);
      const released = charges.reduce((sum, charge) => sum + releaseNanoUsd(charge, basis), 0n);
      expect(released <= netNanoUsd).toBe(true);
      // Nor does it keep back more than a millionth of it, and a nano-dollar per charge.
      const spent = charges.reduce((sum, charge) => sum + charge, 0n);
      const due = (spent * netNanoUsd) / credit;
      expect(due - released <= due / 1_000_000n + BigInt(charges.length) + 1n).toBe(true);
    }),
  );
});

test("without a fee the cost basis is the multiplier wherever the amount divides", () => {
  expect(costBasisPpm(creditFor(100n, 1_350_000n), 100n)).toBe(1_350_000n);
  expect(costBasisPpm(creditFor(1_000n, 1_500_000n), splitFee(1_000n, 30_000n).netNanoUsd)).toBe(1_546_392n);
});

const terms: FacilityTerms = {
  multiplierPpm: 1_350_000n,
  originationFeePpm: 0n,
  servicingFeePpm: 0n,
  tenorDays: null,
  coverageFloorPpm: 1_000_000n,
  startupLimitPpm: 1_000_000n,
};

test("each term has its bounds, both included", async () => {
  const verdict = (changes: Partial<FacilityTerms>) => refusal(() => checkTerms({ ...terms, ...changes }));
  const verdicts = async (name: keyof FacilityTerms, ...values: unknown[]) =>
    Promise.all(values.map((value) => verdict({ [name]: value })));
  const outside = (field: string) => [`BAD_USER_INPUT ${field}`, "nothing", "nothing", `BAD_USER_INPUT ${field}`];
  expect(await verdicts("originationFeePpm", -1n, 0n, 50_000n, 50_001n)).toEqual(outside("originationFee"));
  expect(await verdicts("servicingFeePpm", -1n, 0n, 20_000n, 20_001n)).toEqual(outside("servicingFee"));
  expect(await verdicts("coverageFloorPpm", 999_999n, 1_000_000n, 2_000_000n, 2_000_001n)).toEqual(
    outside("coverageFloor"),
  );
  expect(await verdicts("startupLimitPpm", 0n, 1n, 1_000_000n, 1_000_001n)).toEqual(outside("startupLimit"));
  expect(await verdicts("tenorDays", 0, 1, 3_650, 3_651)).toEqual(outside("tenorDays"));
  expect(await verdicts("multiplierPpm", 1_250_000n, 1_500_001n)).toEqual([
    "nothing",
    "MULTIPLIER_OUT_OF_BOUNDS multiplier",
  ]);
});

test("one startup gets its share of the limit to the nano-dollar, and the refusal says what would fit", () => {
  const facility = { limitNanoUsd: 1_000n, startupLimitPpm: 333_333n };
  expect(() => checkConcentration(facility, 300n, 33n)).not.toThrow();
  expect(() => checkConcentration(facility, 300n, 34n)).toThrow(
    expect.objectContaining({
      code: "COVENANT_BREACHED",
      details: expect.objectContaining({ covenant: "STARTUP_LIMIT", allowedNanoUsd: "333", fittingNanoUsd: "33" }),
    }),
  );
  expect(() => checkConcentration(facility, 400n, 1n)).toThrow(
    expect.objectContaining({ details: expect.objectContaining({ fittingNanoUsd: "0" }) }),
  );
});

test("a lot expires with the facility's tenor, or earlier when its drawdown says so, and never later or before it is drawn", () => {
  const at = new Date("2026-03-01T00:00:00Z");
  const day = (n: number) => new Date(at.getTime() + n * 86_400_000);
  expect(expiryOf(null, at, null)).toBeNull();
  expect(expiryOf(30, at, null)).toEqual(day(30));
  expect(expiryOf(30, at, day(7))).toEqual(day(7));
  expect(expiryOf(30, at, day(30))).toEqual(day(30));
  expect(expiryOf(null, at, day(400))).toEqual(day(400));
  expect(() => expiryOf(30, at, day(31))).toThrow(/at latest 2026-03-31T00:00:00.000Z/);
  expect(() => expiryOf(null, at, at)).toThrow(
    expect.objectContaining({ code: "BAD_USER_INPUT", field: ["expiresAt"] }),
  );
});
