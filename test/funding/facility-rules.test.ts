/** How much credit a dollar becomes, and what a facility may be and give. */
import fc from "fast-check";
import { checkLimit, checkMultiplier, creditFor } from "../../src/funding/facility-rules";
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
