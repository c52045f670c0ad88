/** History only grows: PostgreSQL refuses to change it, to the application, to requests and to the owner of the tables. */
import { randomUUID } from "node:crypto";
import { Client } from "pg";
import { Journal } from "../../src/ledger/journal";
import { actAs } from "../../src/platform/tenancy";
import { MoneyWorld } from "../support/money-world";
import { createTestDatabase, type TestDatabase } from "../support/template-database";
import { type BusyBooks, openBooks, someRequests } from "./busy-books";

const history = ["transfer", "entry", "journal_page", "usage_record", "audit_event", "accounting_period"];
const refused = { code: "42501" };

let database: TestDatabase;
let world: MoneyWorld;
let books: BusyBooks;

beforeAll(async () => {
  database = await createTestDatabase();
  world = await MoneyWorld.open(database.url);
  books = await openBooks(world);
  await someRequests(books, 6);
  await new Journal({ db: world.db }).write();
});

afterAll(async () => {
  await world?.close();
  await database?.drop();
});

const query = (text: string) => world.db.source.query(text);
const acts = (table: string) => [
  `UPDATE ${table} SET ${firstColumn[table]} = ${firstColumn[table]}`,
  `DELETE FROM ${table}`,
  `TRUNCATE ${table}`,
];
const firstColumn: Readonly<Record<string, string>> = {
  transfer: "amount",
  entry: "posted",
  journal_page: "hash",
  usage_record: "charge_nano_credit",
  audit_event: "action",
  accounting_period: "closed_at",
};
const copyOf = async () => JSON.stringify(await Promise.all(history.map((table) => query(`SELECT * FROM ${table}`))));

test.each(history)("%s refuses UPDATE, DELETE and TRUNCATE to the system's own connections", async (table) => {
  for (const text of acts(table)) await expect(query(text)).rejects.toMatchObject(refused);
});

test.each(history)("%s refuses them to requests, an operator's too", async (table) => {
  for (const seesAll of [false, true]) {
    const acting = { tenant: { id: books.startupId, seesAll }, requestId: randomUUID(), reads: "primary" as const };
    for (const text of acts(table)) await actAs(acting, () => expect(query(text)).rejects.toMatchObject(refused));
  }
});

test("nothing of it was changed by trying", async () => {
  const before = await copyOf();
  for (const table of history) for (const text of acts(table)) await query(text).catch(() => undefined);
  expect(await copyOf()).toBe(before);
});

test("an owner who is no superuser is refused by his privileges as well, with the triggers switched off", async () => {
  const name = `owner_${randomUUID().slice(0, 8)}`;
  const admin = new Client({ connectionString: database.url });
  await admin.connect();
  try {
    // As where the application migrates as a plain user: that one owns the tables, and migration 0018 has taken these rights from it.
    await admin.query(`CREATE ROLE ${name} NOLOGIN`);
    await admin.query(`GRANT ${name} TO CURRENT_USER`);
    for (const table of ["transfer", "entry", "journal_page", "usage_record", "accounting_period"]) {
      await admin.query(`ALTER TABLE ${table} OWNER TO ${name}`);
      await admin.query(`ALTER TABLE ${table} DISABLE TRIGGER ${table}_is_final`);
      await admin.query(`SET ROLE ${name}`);
      for (const text of acts(table)) await expect(admin.query(text)).rejects.toMatchObject(refused);
      await expect(admin.query(`SELECT count(*) FROM ${table}`)).resolves.toBeDefined();
      await admin.query("RESET ROLE");
    }
  } finally {
    await admin.query("RESET ROLE");
    await admin.query(`REASSIGN OWNED BY ${name} TO CURRENT_USER`);
    await admin.query(`DROP OWNED BY ${name}`);
    await admin.query(`DROP ROLE ${name}`);
    await admin.end();
  }
});

test("a request writes nothing of it either, and cannot have the journal written", async () => {
  const acting = { tenant: { id: books.startupId, seesAll: true }, requestId: randomUUID(), reads: "primary" as const };
  for (const table of ["transfer", "entry", "journal_page", "accounting_period"]) {
    const again = `INSERT INTO ${table} SELECT * FROM ${table} LIMIT 1`;
    await actAs(acting, () => expect(query(again)).rejects.toMatchObject(refused));
  }
  await actAs(acting, () => expect(query("SELECT journal_append(1)")).rejects.toMatchObject(refused));
});
