/** Tells a database that is gone from one that has refused. */
import { DomainError } from "./errors";

/** SQLSTATE classes and socket errors after which it is unknown whether the statement took effect. */
export function isConnectionLoss(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === "string") {
    if (/^(08|57P0[1-5]|53300)/.test(code)) return true;
    if (["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "ENOTFOUND", "EHOSTUNREACH"].includes(code)) return true;
  }
  const message = (error as { message?: unknown } | null)?.message;
  return (
    typeof message === "string" &&
    /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error/.test(
      message,
    )
  );
}

/** The error that edges show while the database is gone; other errors pass through. */
export function asUnavailable(error: unknown): unknown {
  if (!isConnectionLoss(error)) return error;
  return new DomainError("DATABASE_UNAVAILABLE", "The database cannot be reached at the moment; nothing was changed.", {
    cause: error,
  });
}
