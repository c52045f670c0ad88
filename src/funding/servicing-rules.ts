/** What servicing a facility costs in a month, from when which dollars were outstanding. */
import { mulDivHalfEven, PPM } from "../money/nano";

const DAY_MS = 86_400_000;
/** The rate is of a year of 365 days, so that a day costs the same in every month. */
const YEAR_MS = 365n * BigInt(DAY_MS);

/** Dollars that came to be outstanding at an instant; negative: that ceased to be. */
export interface Drawn {
  readonly at: Date;
  readonly nanoUsd: bigint;
}

/** The first instants of a UTC month and of the next one. */
export function monthOf(period: string): { from: Date; until: Date } {
  const [year, month] = period.split("-").map(Number) as [number, number];
  return { from: new Date(Date.UTC(year, month - 1)), until: new Date(Date.UTC(year, month)) };
}

export const periodOf = (at: Date): string => at.toISOString().slice(0, 7);

/** The months from that of `since` to the last one that has ended at `at`, oldest first. */
export function endedMonths(since: Date, at: Date): string[] {
  const months: string[] = [];
  for (let period = periodOf(since); monthOf(period).until <= at; period = periodOf(monthOf(period).until)) {
    months.push(period);
  }
  return months;
}

/** Each dollar counts for the part of the month in which it was outstanding; rounded once each. */
export function servicingFee(
  drawn: readonly Drawn[],
  period: string,
  feePpm: bigint,
): { drawnNanoUsd: bigint; amountNanoUsd: bigint } {
  const { from, until } = monthOf(period);
  const span = BigInt(until.getTime() - from.getTime());
  const weighted = drawn.reduce((sum, { at, nanoUsd }) => {
    const since = Math.max(at.getTime(), from.getTime());
    return since < until.getTime() ? sum + nanoUsd * BigInt(until.getTime() - since) : sum;
  }, 0n);
  return {
    drawnNanoUsd: mulDivHalfEven(weighted, 1n, span),
    amountNanoUsd: mulDivHalfEven(weighted, feePpm, PPM * YEAR_MS),
  };
}
