/** Billing months, `YYYY-MM` in UTC: where one ends, which comes after it, and when what was earned in it falls due. */
import { DomainError } from "../platform/errors";

const DAY_MS = 86_400_000;
const DUE_AFTER_DAYS = 30;

/** Errors: BAD_USER_INPUT. */
export function checkPeriod(period: string): string {
  if (/^2\d{3}-(0[1-9]|1[0-2])$/.test(period)) return period;
  throw new DomainError("BAD_USER_INPUT", "period: must be a month such as 2026-01", { field: "period" });
}

export const periodOf = (at: Date): string => at.toISOString().slice(0, 7);

/** The first instant after the month. Errors: BAD_USER_INPUT. */
export function endOf(period: string): Date {
  const [year, month] = checkPeriod(period).split("-").map(Number) as [number, number];
  return new Date(Date.UTC(year, month));
}

/** `months` later, or earlier when negative. Errors: BAD_USER_INPUT. */
export function monthsAfter(period: string, months: number): string {
  const [year, month] = checkPeriod(period).split("-").map(Number) as [number, number];
  return periodOf(new Date(Date.UTC(year, month - 1 + months)));
}

/** Thirty days after the month's last instant. Errors: BAD_USER_INPUT. */
export const dueAt = (period: string): Date => new Date(endOf(period).getTime() + DUE_AFTER_DAYS * DAY_MS);
