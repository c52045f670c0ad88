/** A split neither makes nor loses a nano, and is fair to within one. */
import fc from "fast-check";
import { NANO_MAX } from "../../src/money/nano";
import { splitByLargestRemainder } from "../../src/money/split";

const aTotal = fc.bigInt({ min: -NANO_MAX, max: NANO_MAX });
const someWeights = fc
  .array(fc.oneof(fc.bigInt({ min: 0n, max: 5n }), fc.bigInt({ min: 0n, max: NANO_MAX })), {
    minLength: 1,
    maxLength: 12,
  })
  .filter((weights) => weights.some((weight) => weight > 0n));
const sum = (parts: readonly bigint[]) => parts.reduce((total, part) => total + part, 0n);

test("the parts always add up to the total", () => {
  fc.assert(
    fc.property(aTotal, someWeights, (total, weights) => sum(splitByLargestRemainder(total, weights)) === total),
  );
});

test("every part is less than one nano away from its exact share", () => {
  fc.assert(
    fc.property(aTotal, someWeights, (total, weights) => {
      const weightSum = sum(weights);
      splitByLargestRemainder(total, weights).forEach((part, position) => {
        const error = part * weightSum - total * (weights[position] ?? 0n);
        expect(error < weightSum && error > -weightSum).toBe(true);
      });
    }),
  );
});

test("a weight of zero gets nothing", () => {
  fc.assert(
    fc.property(aTotal, someWeights, (total, weights) => {
      const parts = splitByLargestRemainder(total, weights);
      return parts.every((part, position) => weights[position] !== 0n || part === 0n);
    }),
  );
});

test("a reversal cancels the original part by part", () => {
  fc.assert(
    fc.property(aTotal, someWeights, (total, weights) => {
      const reversed = splitByLargestRemainder(-total, weights).map((part) => -part);
      expect(reversed).toEqual(splitByLargestRemainder(total, weights));
    }),
  );
});

test("the largest remainder is served first, and the earlier position on a tie", () => {
  expect(splitByLargestRemainder(10n, [1n, 1n, 1n])).toEqual([4n, 3n, 3n]);
  expect(splitByLargestRemainder(11n, [1n, 1n, 1n])).toEqual([4n, 4n, 3n]);
  // Exact shares 0.5, 1.25 and 3.25: the one unit left over goes to the half.
  expect(splitByLargestRemainder(5n, [2n, 5n, 13n])).toEqual([1n, 1n, 3n]);
  // Exact shares 0.3, 0.6 and 2.1: the last-but-one has the largest remainder.
  expect(splitByLargestRemainder(3n, [1n, 2n, 7n])).toEqual([0n, 1n, 2n]);
});

test("negative weights, only zero weights and no weights are refused", () => {
  expect(() => splitByLargestRemainder(1n, [2n, -1n])).toThrow(/cannot be negative, got -1/);
  expect(() => splitByLargestRemainder(1n, [0n, 0n])).toThrow(RangeError);
  expect(() => splitByLargestRemainder(1n, [])).toThrow(RangeError);
});
