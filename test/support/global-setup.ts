/** Before all tests: a PostgreSQL server (TEST_DATABASE_URL, else an embedded one in a temporary directory) and its migrated template. */
import "reflect-metadata";
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { startEmbeddedPostgres } from "../../src/platform/embedded-postgres";
import { quickPlace } from "./quick-place";
import { migrateTemplate } from "./template-database";

declare global {
  /** Set here for the global tear-down, which runs in the same process. */
  var stopTestServer: (() => Promise<void>) | undefined;
}

export default async function setUp(): Promise<void> {
  const given = process.env.TEST_DATABASE_URL;
  const serverUrl = given || (await startServer());
  try {
    await migrateTemplate(serverUrl);
  } catch (error) {
    await globalThis.stopTestServer?.(); // Jest runs no tear-down after a failed set-up.
    throw error;
  }
  process.env.TEST_DATABASE_URL = serverUrl; // Workers inherit it.
}

async function startServer(): Promise<string> {
  // Not made by mkdtemp, whose mode of 0700 would shut out the user that a root process runs PostgreSQL as.
  const root = join(quickPlace(), `exergy-test-${randomBytes(6).toString("hex")}`);
  const server = await startEmbeddedPostgres(root, { durable: false, settings: { max_connections: "200" } });
  const stop = async () => {
    await server.stop();
    for (const place of [dirname(server.directory), root]) rmSync(place, { recursive: true, force: true });
  };
  globalThis.stopTestServer = stop;
  // Jest ends on Ctrl-C without a tear-down; the server would stay behind.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => void stop().finally(() => process.exit(130)));
  }
  return server.url;
}
