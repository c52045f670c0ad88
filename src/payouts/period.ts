/** Billing months, `YYYY-MM` in UTC, and when what was earned in one falls due. */
import { DomainError } from "../platform/errors";

const DAY_MS = 86_400_000;
const DUE_AFTER_DAYS = 30;

/** Errors: BAD_USER_INPUT. */
export function checkPeriod(period: string): string {
  if (/^2\d{3}-(0[1-9]|1[0-2])$/.test(period)) return period;
  throw new DomainError("BAD_USER_INPUT", "period: must be a month such as 2026-01", { field: "period" });
}

/** Thirty days after the month's last instant. */
export function dueAt(period: string): Date {
  const [year, month] = checkPeriod(period).split("-").map(Number) as [number, number];
  return new Date(Date.UTC(year, month) + DUE_AFTER_DAYS * DAY_MS);
}
