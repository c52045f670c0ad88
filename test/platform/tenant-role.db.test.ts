/** The role of requests on a server where the database's user is no superuser: asked for in plain words, then enough. */
import { randomBytes } from "node:crypto";
import { Client } from "pg";
import { TENANT_ROLE } from "../../entities/row-policies";
import { type Database, migrate, openDatabase } from "../../src/platform/database";
import { actAs } from "../../src/platform/tenancy";
import { aMarket } from "../access/two-markets";

const name = `plain_${randomBytes(6).toString("hex")}`;
const serverUrl = process.env.TEST_DATABASE_URL!;
const url = Object.assign(new URL(serverUrl), { username: name, password: name, pathname: `/${name}` }).href;
let admin: Client;
let db: Database;

beforeAll(async () => {
  admin = new Client({ connectionString: serverUrl });
  await admin.connect();
  await admin.query(`CREATE ROLE ${name} LOGIN PASSWORD '${name}'`);
  await admin.query(`CREATE DATABASE ${name} OWNER ${name} TEMPLATE template0`);
  db = await openDatabase({ url });
});
afterAll(async () => {
  await db?.close();
  await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  await admin.query(`DROP ROLE IF EXISTS ${name}`);
  await admin.end();
});

test("a user who may not take on the role is told what a superuser has to say, and nothing of the migration stays", async () => {
  await expect(migrate(db)).rejects.toMatchObject({ hint: expect.stringContaining(`GRANT ${TENANT_ROLE} TO ${name}`) });
  const [left] = await db.source.query("SELECT count(*)::int AS count FROM pg_policy");
  expect(left.count).toBe(0);
});

test("with the role granted an ordinary owner migrates, sees everything itself, and its requests see their own", async () => {
  await admin.query(`GRANT ${TENANT_ROLE} TO ${name}`);
  expect(await migrate(db)).toContain("row-security-1763900000016");
  const [ours, theirs] = [await aMarket(db), await aMarket(db)];
  const endpoints = (): Promise<{ id: string }[]> => db.source.query("SELECT id FROM endpoint ORDER BY created_at");
  expect(await endpoints()).toHaveLength(2);
  for (const market of [ours, theirs]) {
    const acting = { tenant: { id: market.provider, seesAll: false }, requestId: "r", reads: "primary" as const };
    expect(await actAs(acting, endpoints)).toEqual([{ id: market.endpoint }]);
  }
  const partner = { tenant: { id: ours.partner, seesAll: false }, requestId: "r", reads: "primary" as const };
  const open = "SELECT ledger_open_facility($1, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), now())";
  await actAs(partner, () => db.source.query(open, [ours.facility]));
  await expect(actAs(partner, () => db.source.query(open, [theirs.facility]))).rejects.toMatchObject({ code: "42501" });
});
