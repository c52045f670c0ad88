/** Banks pay whole cents: how much of what is owed can be paid, and what stays owed until the next payout takes it along. */

export const NANO_PER_CENT = 10_000_000n;

export interface Payable {
  readonly amountNanoUsd: bigint;
  /** Below a cent. */
  readonly remainderNanoUsd: bigint;
}

/** Rounded down: a provider is never paid what is not in its statements. */
export function payableOf(owedNanoUsd: bigint): Payable {
  const remainderNanoUsd = owedNanoUsd % NANO_PER_CENT;
  return { amountNanoUsd: owedNanoUsd - remainderNanoUsd, remainderNanoUsd };
}

/** Exact: an amount of a payout is whole cents by constraint. */
export const centsOf = (amountNanoUsd: bigint): bigint => amountNanoUsd / NANO_PER_CENT;

/** 12345n → "123.45", as banks write amounts. */
export function formatCents(cents: bigint): string {
  const digits = cents.toString().padStart(3, "0");
  return `${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
