/** Exact integer money: nano-units (1e-9 of a dollar or credit), one rounding per result, decimal text in and out. */

export const NANO = 1_000_000_000n;
export const PPM = 1_000_000n;

/** The largest value of a PostgreSQL BIGINT, which every amount has to fit; magnitudes beyond it are refused. */
export const NANO_MAX = 9_223_372_036_854_775_807n;

/** NANO_MAX needs 20 characters; the rest tolerates leading zeros without handing BigInt an unbounded string. */
const TEXT_LENGTH_MAX = 40;
const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/;
const DECIMALS_MAX = 9;

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}

/** The exact quotient's magnitude, the remainder and the sign, so that both roundings treat negatives as mirror images. */
function divideExact(value: bigint, numerator: bigint, denominator: bigint) {
  if (denominator === 0n) throw new RangeError("An amount cannot be divided by zero.");
  const product = value * numerator;
  const divisor = magnitude(denominator);
  const dividend = magnitude(product);
  return {
    negative: product < 0n !== denominator < 0n,
    quotient: dividend / divisor,
    remainder: dividend % divisor,
    divisor,
  };
}

/** value × numerator ÷ denominator, rounded once to the nearest integer, ties to even. RangeError: zero denominator. */
export function mulDivHalfEven(value: bigint, numerator: bigint, denominator: bigint): bigint {
  const { negative, quotient, remainder, divisor } = divideExact(value, numerator, denominator);
  const doubled = remainder * 2n;
  const up = doubled > divisor || (doubled === divisor && quotient % 2n === 1n);
  const rounded = up ? quotient + 1n : quotient;
  return negative ? -rounded : rounded;
}

/** value × numerator ÷ denominator, cut toward zero. RangeError: zero denominator. */
export function mulDivDown(value: bigint, numerator: bigint, denominator: bigint): bigint {
  const { negative, quotient } = divideExact(value, numerator, denominator);
  return negative ? -quotient : quotient;
}

/** "1.25" → 1_250_000_000n. RangeError: not a plain decimal, more than nine decimals, or beyond ±NANO_MAX. */
export function parseNano(text: string): bigint {
  if (text.length > TEXT_LENGTH_MAX) {
    throw new RangeError(`An amount has at most ${TEXT_LENGTH_MAX} characters, this one has ${text.length}.`);
  }
  const match = DECIMAL.exec(text);
  if (match === null) {
    throw new RangeError(`${JSON.stringify(text)} is not an amount: write a plain decimal number such as "12.5".`);
  }
  const [, sign, whole = "", decimals = ""] = match;
  if (decimals.length > DECIMALS_MAX) {
    throw new RangeError(`${JSON.stringify(text)} has ${decimals.length} decimals, an amount has at most nine.`);
  }
  const nano = BigInt(whole) * NANO + BigInt(decimals.padEnd(DECIMALS_MAX, "0"));
  if (nano > NANO_MAX) {
    throw new RangeError(`${JSON.stringify(text)} is beyond the largest amount, ${formatNano(NANO_MAX)}.`);
  }
  return sign === "-" ? -nano : nano;
}

/** 1_250_000_000n → "1.25": exact, without trailing zeros; parseNano reads it back to the same integer. */
export function formatNano(nano: bigint): string {
  const size = magnitude(nano);
  const decimals = (size % NANO).toString().padStart(DECIMALS_MAX, "0").replace(/0+$/, "");
  const unsigned = decimals === "" ? `${size / NANO}` : `${size / NANO}.${decimals}`;
  return nano < 0n ? `-${unsigned}` : unsigned;
}
