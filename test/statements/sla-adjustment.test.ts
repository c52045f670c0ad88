/** An endpoint that missed its uptime loses a part of its month; one that kept it loses nothing. */
import fc from "fast-check";
import { adjustmentNanoUsd, adjustmentPpm, type UptimeWindow, uptimePpm } from "../../src/statements/sla-adjustment";

const WINDOW = 43_200;
const window = (targetPpm: number, badMinutes: number, eligibleMinutes = WINDOW): UptimeWindow => ({
  endpointId: "e",
  slaTier: "STANDARD",
  targetPpm,
  eligibleMinutes,
  badMinutes,
});

test.each([
  [995_000, 216, 0n],
  [995_000, 217, 100_000n],
  [995_000, 432, 100_000n],
  [995_000, 433, 250_000n],
  [995_000, 2_160, 250_000n],
  [995_000, 2_161, 500_000n],
  [999_000, 43, 0n],
  [999_000, 44, 100_000n],
  [999_500, 21, 0n],
  [999_500, 22, 100_000n],
  [999_500, 217, 500_000n],
])("at a target of %d ppm, %d bad minutes in thirty days take %s ppm", (targetPpm, bad, ppm) => {
  expect(adjustmentPpm(window(targetPpm, bad))).toBe(ppm);
});

test("less than a day of evidence takes nothing, however bad it was", () => {
  expect(adjustmentPpm(window(995_000, 1_439, 1_439))).toBe(0n);
  expect(adjustmentPpm(window(995_000, 1_440, 1_440))).toBe(500_000n);
});

test("the promise is kept exactly when the uptime reaches the target, and nothing is ever taken then", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(995_000, 999_000, 999_500),
      fc
        .integer({ min: 1_440, max: WINDOW })
        .chain((minutes) => fc.tuple(fc.constant(minutes), fc.integer({ min: 0, max: minutes }))),
      (target, [minutes, bad]) => {
        const judged = window(target, bad, minutes);
        const kept = BigInt(minutes - bad) * 1_000_000n >= BigInt(minutes) * BigInt(target);
        expect(adjustmentPpm(judged) === 0n).toBe(kept);
        if (kept) expect(uptimePpm(judged)).toBeGreaterThanOrEqual(target);
      },
    ),
  );
});

test("an adjustment never takes more than half of what was accrued", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 18n }), fc.integer({ min: 0, max: WINDOW }), (accrued, bad) => {
      const taken = adjustmentNanoUsd(accrued, adjustmentPpm(window(995_000, bad)));
      expect(taken >= 0n && taken * 2n <= accrued).toBe(true);
    }),
  );
});
