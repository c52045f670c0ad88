/** Splits one amount by weights so that the parts add up to it exactly. */

/**
 * Largest remainder: each part is its exact share cut toward zero, and the units left over go one each to the largest
 * cut-off fractions, the earlier position first on a tie. A negative total (a reversal) splits as its mirror image, so
 * that it cancels the original part by part. RangeError: a negative weight, or no positive one.
 */
export function splitByLargestRemainder(total: bigint, weights: readonly bigint[]): bigint[] {
  const weightSum = weights.reduce((sum, weight) => {
    if (weight < 0n) throw new RangeError(`A weight cannot be negative, got ${weight}.`);
    return sum + weight;
  }, 0n);
  if (weightSum === 0n) throw new RangeError("At least one weight has to be positive.");
  if (total < 0n) return splitByLargestRemainder(-total, weights).map((part) => -part);

  const shares = weights.map((weight, position) => {
    const product = total * weight;
    return { position, part: product / weightSum, remainder: product % weightSum };
  });
  const parts = shares.map((share) => share.part);
  // Fewer units are left over than there are non-zero remainders, so a weight of zero never receives one.
  const leftOver = total - parts.reduce((sum, part) => sum + part, 0n);
  const byRemainder = shares.toSorted((a, b) =>
    a.remainder === b.remainder ? a.position - b.position : a.remainder > b.remainder ? -1 : 1,
  );
  for (const { position, part } of byRemainder.slice(0, Number(leftOver))) parts[position] = part + 1n;
  return parts;
}
