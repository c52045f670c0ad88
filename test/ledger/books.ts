/** The auditor: recomputes every figure of the books from the transfers alone and names what disagrees. */
import { bookInvariants } from "../../src/ledger/invariants";
import type { Database } from "../../src/platform/database";

/** Empty when the books are in order. */
export async function faultsInTheBooks(db: Database): Promise<string[]> {
  const rows = await db.query<{ fault: string }>({ name: "test-books", text: bookInvariants }, ["0"]);
  return rows.map((row) => row.fault);
}

export interface Counters {
  debitsPending: bigint;
  debitsPosted: bigint;
  creditsPending: bigint;
  creditsPosted: bigint;
}

/** By account name. */
export async function countersByName(db: Database): Promise<Map<string, Counters>> {
  return countersFrom(await db.query({ name: "test-counters", text: "SELECT * FROM ledger_account" }, []));
}

/** Of the accounts of these names; one that does not exist is left out. */
export async function countersOf(db: Database, names: readonly string[]): Promise<Map<string, Counters>> {
  const text = "SELECT * FROM ledger_account WHERE name = ANY ($1)";
  return countersFrom(await db.query({ name: "test-counters-of", text }, [names]));
}

function countersFrom(rows: readonly Record<string, string>[]): Map<string, Counters> {
  return new Map(
    rows.map((row) => [
      row.name!,
      {
        debitsPending: BigInt(row.debits_pending!),
        debitsPosted: BigInt(row.debits_posted!),
        creditsPending: BigInt(row.credits_pending!),
        creditsPosted: BigInt(row.credits_posted!),
      },
    ]),
  );
}

export async function countOf(
  db: Database,
  table: "transfer" | "hold" | "usage_record" | "ledger_account",
): Promise<number> {
  const rows = await db.query<{ n: string }>(
    { name: `test-count-${table}`, text: `SELECT count(*) AS n FROM ${table}` },
    [],
  );
  return Number(rows[0]!.n);
}
