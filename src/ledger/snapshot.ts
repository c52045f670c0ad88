/** Several statements that see one and the same state of the database. */
import type { QueryResultRow } from "pg";
import type { Database, Queryable } from "../platform/database";

/** Reads only; nothing that is written meanwhile waits for it. */
export function inSnapshot<Result>(db: Database, work: (snapshot: Queryable) => Promise<Result>): Promise<Result> {
  return db.source.transaction("REPEATABLE READ", async (tx) => {
    await tx.query("SET TRANSACTION READ ONLY");
    return work({
      query: <Row extends QueryResultRow>({ text }: { text: string }, values: readonly unknown[]): Promise<Row[]> =>
        tx.query(text, [...values]),
    });
  });
}
