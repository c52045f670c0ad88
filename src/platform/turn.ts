/** One process after the other: work under a lock that PostgreSQL keeps for as long as the connection lives. */
import { Client } from "pg";

/** Waits its turn among all who use the same name. Errors: those of pg, and of the work. */
export async function inTurn<T>(url: string, name: string, work: () => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, application_name: `exergy ${name}`, keepAlive: true });
  // The work has connections of its own, which will tell.
  client.on("error", () => undefined);
  await client.connect();
  try {
    await client.query("SELECT pg_advisory_lock(hashtext('exergy.turn'), hashtext($1))", [name]);
    return await work();
  } finally {
    await client.end().catch(() => undefined);
  }
}
