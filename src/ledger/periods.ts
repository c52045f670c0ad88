/** Closes months: in their order, once they are over, for good. */
import type { EntityManager } from "typeorm";
import { AccountingPeriod } from "../../entities/accounting-period";
import type { Database } from "../platform/database";
import { DomainError } from "../platform/errors";
import { readRows } from "../platform/rows";

interface Answer {
  refusal: "CLOSED" | "EARLIER_OPEN" | "NOT_OVER" | null;
  next: string | null;
}

/**
 * From the commit of `tx` on nothing is booked into the month; what comes late goes into the first open one. Waits for what is
 * being posted. In a request for operators only. `by`: the member or key, null for the system.
 * Errors: BAD_USER_INPUT (no month), STATE_CONFLICT (closed already, not over, an earlier one is open).
 */
export async function closePeriod(tx: EntityManager, period: string, by: string | null, at: Date): Promise<void> {
  if (!/^2\d{3}-(0[1-9]|1[0-2])$/.test(period)) {
    throw new DomainError("BAD_USER_INPUT", `${JSON.stringify(period)} is no month: YYYY-MM.`, { field: "period" });
  }
  const [{ refusal, next }]: [Answer] = await tx.query("SELECT * FROM ledger_close_period($1, $2, $3)", [
    period,
    by,
    at,
  ]);
  if (refusal === null) return;
  const why = {
    CLOSED: `${period} is closed already.`,
    EARLIER_OPEN: `Months close in their order: ${next} comes before ${period}.`,
    NOT_OVER: `${period} is not over.`,
  }[refusal];
  throw new DomainError("STATE_CONFLICT", why, { field: "period", details: { nextPeriod: next } });
}

/** Null: none is closed yet. */
export async function lastClosed(db: Database): Promise<string | null> {
  const [row] = await closedPeriods(db, 1);
  return row?.period ?? null;
}

/** The newest first. */
export function closedPeriods(db: Database, count: number): Promise<AccountingPeriod[]> {
  return readRows(db, AccountingPeriod, "ORDER BY period DESC LIMIT $1", [count]);
}
