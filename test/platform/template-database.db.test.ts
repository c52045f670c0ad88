import { Client } from "pg";
import { createTestDatabase } from "../support/template-database";

async function connected(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on("error", () => {}); // Cut by the drop.
  await client.connect();
  return client;
}

test("each test database is migrated, its own, and gone after its drop even while somebody is connected", async () => {
  const [one, other] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  const [client, otherClient] = await Promise.all([connected(one.url), connected(other.url)]);
  await client.query("CREATE TABLE only_here (n int)");
  const { rows } = await otherClient.query(
    "SELECT to_regclass('only_here') AS found, to_regclass('migration') AS migrated",
  );
  expect(rows).toEqual([{ found: null, migrated: "migration" }]);
  await Promise.all([one.drop(), other.drop()]);
  await expect(connected(one.url)).rejects.toMatchObject({ code: "3D000" });
  await Promise.all([client.end(), otherClient.end()]);
});
