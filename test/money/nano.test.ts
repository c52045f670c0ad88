/** Amounts survive text and arithmetic exactly, and rounding favours nobody. */
import fc from "fast-check";
import { formatNano, mulDivDown, mulDivHalfEven, NANO, NANO_MAX, parseNano } from "../../src/money/nano";

const anAmount = fc.bigInt({ min: -NANO_MAX, max: NANO_MAX });
const aDivisor = fc.bigInt({ min: -NANO_MAX, max: NANO_MAX }).filter((value) => value !== 0n);
const size = (value: bigint) => (value < 0n ? -value : value);

describe("text", () => {
  test.each([
    ["1.25", 1_250_000_000n],
    ["0", 0n],
    ["-0", 0n],
    ["-0.5", -500_000_000n],
    ["0.000000001", 1n],
    ["007.10", 7_100_000_000n],
    ["9223372036.854775807", NANO_MAX],
    ["-9223372036.854775807", -NANO_MAX],
  ])("%s is read as %s nano", (text, nano) => {
    expect(parseNano(text)).toBe(nano);
  });

  test.each([
    [0n, "0"],
    [1n, "0.000000001"],
    [-500_000_000n, "-0.5"],
    [1_250_000_000n, "1.25"],
    [10n * NANO, "10"],
    [-NANO_MAX, "-9223372036.854775807"],
  ])("%s nano is written as %s", (nano, text) => {
    expect(formatNano(nano)).toBe(text);
  });

  test("every amount that PostgreSQL can hold is read back as it was written", () => {
    fc.assert(fc.property(anAmount, (nano) => parseNano(formatNano(nano)) === nano));
  });

  test.each(["", " ", "1.", ".5", "1e3", "+1", "1,000", "0x10", "NaN", "Infinity", " 1", "1\n", "--1", "1.2.3", "１"])(
    "%j is refused as not an amount",
    (text) => {
      expect(() => parseNano(text)).toThrow(RangeError);
      expect(() => parseNano(text)).toThrow(/is not an amount/);
    },
  );

  test("a tenth decimal is refused instead of rounded away", () => {
    expect(() => parseNano("0.0000000001")).toThrow(
      new RangeError('"0.0000000001" has 10 decimals, an amount has at most nine.'),
    );
  });

  test.each(["9223372036.854775808", "-9223372036.854775808", "99999999999"])(
    "%s does not fit a BIGINT and is refused",
    (text) => {
      expect(() => parseNano(text)).toThrow(/beyond the largest amount, 9223372036\.854775807/);
    },
  );

  test("a very long number is refused before it is parsed", () => {
    expect(() => parseNano("9".repeat(1_000_000))).toThrow(/at most 40 characters, this one has 1000000/);
  });
});

describe("rounding", () => {
  test.each([
    [1n, 0n],
    [3n, 2n],
    [5n, 2n],
    [7n, 4n],
    [-1n, 0n],
    [-3n, -2n],
    [-5n, -2n],
    [-7n, -4n],
  ])("%s halves round to the even neighbour %s", (value, rounded) => {
    expect(mulDivHalfEven(value, 1n, 2n)).toBe(rounded);
    expect(mulDivHalfEven(-value, 1n, -2n)).toBe(rounded);
  });

  test("half-even is never more than half away from the exact quotient, and even when exactly half", () => {
    fc.assert(
      fc.property(anAmount, anAmount, aDivisor, (value, numerator, denominator) => {
        const rounded = mulDivHalfEven(value, numerator, denominator);
        const doubledError = 2n * size(rounded * denominator - value * numerator);
        expect(doubledError <= size(denominator)).toBe(true);
        if (doubledError === size(denominator)) expect(rounded % 2n).toBe(0n);
      }),
    );
  });

  test("small divisors, where halves are common, round to even too", () => {
    const small = fc.bigInt({ min: -50n, max: 50n });
    fc.assert(
      fc.property(small, small, fc.constantFrom(2n, 4n, -2n, -4n, 6n), (value, numerator, denominator) => {
        const rounded = mulDivHalfEven(value, numerator, denominator);
        const doubledError = 2n * size(rounded * denominator - value * numerator);
        expect(doubledError <= size(denominator)).toBe(true);
        if (doubledError === size(denominator)) expect(rounded % 2n).toBe(0n);
      }),
    );
  });

  test("down cuts toward zero on both sides", () => {
    expect(mulDivDown(7n, 1n, 2n)).toBe(3n);
    expect(mulDivDown(-7n, 1n, 2n)).toBe(-3n);
    fc.assert(
      fc.property(anAmount, anAmount, aDivisor, (value, numerator, denominator) => {
        const cut = mulDivDown(value, numerator, denominator);
        const left = size(value * numerator) - size(cut * denominator);
        return left >= 0n && left < size(denominator);
      }),
    );
  });

  test("a reversal rounds to the exact opposite", () => {
    fc.assert(
      fc.property(anAmount, anAmount, aDivisor, (value, numerator, denominator) => {
        expect(mulDivHalfEven(-value, numerator, denominator)).toBe(-mulDivHalfEven(value, numerator, denominator));
        expect(mulDivDown(-value, numerator, denominator)).toBe(-mulDivDown(value, numerator, denominator));
      }),
    );
  });

  test("a zero denominator is refused", () => {
    expect(() => mulDivHalfEven(1n, 1n, 0n)).toThrow(RangeError);
    expect(() => mulDivDown(1n, 1n, 0n)).toThrow(RangeError);
  });
});
