/** One migrated template per test run, cloned for each test file: a database of its own in some 50 ms. */
import { randomBytes } from "node:crypto";
import { Client } from "pg";
import { migrate, openDatabase } from "../../src/platform/database";

export interface TestDatabase {
  url: string;
  /** Cuts whoever is still connected. */
  drop(): Promise<void>;
}

const templateName = "exergy_template";

/** `serverUrl` names any database of the server; its user must be allowed to create databases. */
export async function migrateTemplate(serverUrl: string): Promise<void> {
  await onServer(serverUrl, `DROP DATABASE IF EXISTS ${templateName} WITH (FORCE)`);
  await onServer(serverUrl, `CREATE DATABASE ${templateName} TEMPLATE template0 ENCODING 'UTF8'`);
  const database = await openDatabase({ url: urlOf(serverUrl, templateName) });
  try {
    await migrate(database);
  } finally {
    await database.close();
  }
}

/** For beforeAll; `drop` for afterAll. The server is the one that the global set-up chose. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const serverUrl = testServerUrl();
  const name = `t_${process.env.JEST_WORKER_ID ?? "0"}_${randomBytes(6).toString("hex")}`;
  await onServer(serverUrl, `CREATE DATABASE ${name} TEMPLATE ${templateName}`);
  return {
    url: urlOf(serverUrl, name),
    drop: () => onServer(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

function testServerUrl(): string {
  const url = process.env.TEST_DATABASE_URL;
  if (!url) throw new Error("TEST_DATABASE_URL is not set: run tests through jest with its global set-up");
  return url;
}

function urlOf(serverUrl: string, database: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  return url.href;
}

async function onServer(serverUrl: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: serverUrl });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
