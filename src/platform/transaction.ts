/** Runs work in one transaction and repeats it a bounded number of times when PostgreSQL asks for that. */
import type { EntityManager } from "typeorm";
import type { Database } from "./database";

/** serialization_failure and deadlock_detected: the same work may well succeed when it is repeated. */
const repeatable = new Set(["40001", "40P01"]);
const ATTEMPTS_MAX = 4;

/** `work` must be free of effects outside `tx`: it may run more than once. Errors: those of `work`. */
export async function transaction<Result>(
  database: Database,
  work: (tx: EntityManager) => Promise<Result>,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      const result = await database.source.transaction(work);
      await database.committed();
      return result;
    } catch (error) {
      const code =
        (error as { code?: string }).code ?? (error as { driverError?: { code?: string } }).driverError?.code;
      if (attempt >= ATTEMPTS_MAX || code === undefined || !repeatable.has(code)) throw error;
    }
  }
}
