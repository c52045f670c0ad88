/** Each test has a server and a directory of its own; none uses the server that the global set-up chose. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import {
  type EmbeddedPostgres,
  EmbeddedPostgresError,
  startEmbeddedPostgres,
} from "../../src/platform/embedded-postgres";
import { quickPlace } from "../support/quick-place";

let root: string;
const running: EmbeddedPostgres[] = [];

async function start(options: Parameters<typeof startEmbeddedPostgres>[1] = {}): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres(root, options);
  running.push(server);
  return server;
}

async function ask(url: string, ...statements: string[]): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    let rows: Record<string, unknown>[] = [];
    for (const statement of statements) rows = (await client.query(statement)).rows;
    return rows;
  } finally {
    await client.end();
  }
}

const refusal = () => startEmbeddedPostgres(root).catch((error: unknown) => error as Error);

function serverPid(): number {
  return Number(readFileSync(join(root, "pg", "postmaster.pid"), "utf8").split("\n")[0]);
}

async function expectStopped(server: EmbeddedPostgres): Promise<void> {
  await expect(ask(server.url, "SELECT 1")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  expect(existsSync(join(server.directory, "postmaster.pid"))).toBe(false);
}

beforeEach(() => {
  root = join(quickPlace(), `exergy-pg-${randomBytes(6).toString("hex")}`);
});
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop();
  rmSync(root, { recursive: true, force: true });
});

test("a row that was committed is there after the server was killed and started again, on the same port", async () => {
  const first = await start();
  await ask(first.url, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7)");
  process.kill(serverPid(), "SIGKILL");
  const second = await start();
  expect(second.adopted).toBe(false);
  expect(await ask(second.url, "SELECT n FROM kept")).toEqual([{ n: 7 }]);
  expect(second.url).toBe(first.url);
});

test("a server that was stopped leaves no process, and starts again with its rows", async () => {
  const first = await start();
  await ask(first.url, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7)");
  await first.stop();
  await expectStopped(first);
  const second = await start();
  expect(await ask(second.url, "SELECT n FROM kept")).toEqual([{ n: 7 }]);
});

test("a server whose parent process was killed is adopted, and stopped by who adopted it", async () => {
  const script = `
    const { transformSync } = require("@swc/core");
    const options = { ...require("./swc.json"), swcrc: false };
    require.extensions[".ts"] = (module, filename) =>
      module._compile(transformSync(require("node:fs").readFileSync(filename, "utf8"), { ...options, filename }).code, filename);
    require("./src/platform/embedded-postgres.ts").startEmbeddedPostgres(process.argv[1], { durable: false })
      .then(() => process.kill(process.pid, "SIGKILL"));`;
  const child = spawn(process.execPath, ["-e", script, root], { cwd: join(__dirname, "../.."), stdio: "inherit" });
  expect(await once(child, "exit")).toEqual([null, "SIGKILL"]);
  const pid = serverPid();
  const server = await start();
  expect(server.adopted).toBe(true);
  expect(serverPid()).toBe(pid);
  await server.stop();
  await expectStopped(server);
});

test("two first starts at once share one server, which stays until both have stopped", async () => {
  const [first, second] = await Promise.all([start({ durable: false }), start({ durable: false })]);
  expect(second.url).toBe(first.url);
  expect([first.adopted, second.adopted].filter((adopted) => adopted)).toHaveLength(1);
  await first.stop();
  expect(await ask(second.url, "SELECT 1 AS n")).toEqual([{ n: 1 }]);
  await second.stop();
  await expectStopped(second);
  expect(readdirSync(root).filter((name) => name.includes("draft"))).toEqual([]);
});

test("the password is needed, random, and readable by its owner only", async () => {
  const server = await start({ durable: false });
  const file = join(root, "postgres.password");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(new URL(server.url).password).toBe(readFileSync(file, "utf8"));
  const url = new URL(server.url);
  url.password = "guess";
  await expect(ask(url.href, "SELECT 1")).rejects.toMatchObject({ code: "28P01" });
  expect(await ask(server.url, "SHOW password_encryption")).toEqual([{ password_encryption: "scram-sha-256" }]);
});

test.each([
  [true, "on"],
  [false, "off"],
])("durable: %s means fsync %s, and given settings win over the defaults", async (durable, fsync) => {
  const server = await start({ durable, settings: { work_mem: "7MB", max_connections: "33" } });
  const settings = "name IN ('fsync', 'full_page_writes', 'work_mem', 'max_connections', 'listen_addresses')";
  const rows = await ask(server.url, `SELECT name, current_setting(name) AS value FROM pg_settings WHERE ${settings}`);
  expect(Object.fromEntries(rows.map(({ name, value }) => [name, value]))).toEqual({
    fsync,
    full_page_writes: fsync,
    work_mem: "7MB",
    max_connections: "33",
    listen_addresses: "127.0.0.1",
  });
});

test("a postmaster.pid that names a process of somebody else is no server of ours, and harms nobody", async () => {
  await (await start({ durable: false })).stop();
  writeFileSync(
    join(root, "pg", "postmaster.pid"),
    `${process.pid}\n${join(root, "pg")}\n0\n5432\n\n127.0.0.1\n\nready\n`,
  );
  const server = await start({ durable: false });
  expect(server.adopted).toBe(false);
  expect(await ask(server.url, "SELECT 1 AS n")).toEqual([{ n: 1 }]);
});

test("a directory with files that are not PostgreSQL's is refused and left alone", async () => {
  mkdirSync(join(root, "pg"), { recursive: true });
  writeFileSync(join(root, "pg", "thesis.txt"), "mine");
  const error = await refusal();
  expect(error).toBeInstanceOf(EmbeddedPostgresError);
  expect(error).toMatchObject({
    message: expect.stringMatching(/not PostgreSQL's: move it away, or set DATABASE_URL/),
  });
  expect(readdirSync(join(root, "pg"))).toEqual(["thesis.txt"]);
});

test("another server's data directory is refused, whether it lies there without our password or behind a link", async () => {
  const other = join(root, "other");
  mkdirSync(other, { recursive: true });
  writeFileSync(join(other, "PG_VERSION"), "18\n");
  symlinkSync(other, join(root, "pg"));
  expect(await refusal()).toMatchObject({ message: expect.stringContaining("is not a directory") });
  rmSync(join(root, "pg"));
  mkdirSync(join(root, "pg"));
  writeFileSync(join(root, "pg", "PG_VERSION"), "18\n");
  expect(await refusal()).toMatchObject({ message: expect.stringMatching(/postgres.password is missing/) });
  expect(readdirSync(other)).toEqual(["PG_VERSION"]);
  expect(readdirSync(join(root, "pg"))).toEqual(["PG_VERSION"]);
});

test("data of a version that is not installed are named with both versions, and stay as they are", async () => {
  mkdirSync(join(root, "pg"), { recursive: true });
  writeFileSync(join(root, "pg", "PG_VERSION"), "9\n");
  writeFileSync(join(root, "postgres.password"), "x");
  expect(await refusal()).toMatchObject({
    name: "EmbeddedPostgresError",
    message: expect.stringMatching(/made by PostgreSQL 9, and here is PostgreSQL \d+.*install PostgreSQL 9/),
  });
});

test.each(["", "pg"])("a plain file in place of the directory %j is named, with what to do", async (name) => {
  if (name) mkdirSync(root);
  writeFileSync(join(root, name), "mine");
  const error = await refusal();
  expect(error).toBeInstanceOf(EmbeddedPostgresError);
  expect(error).toMatchObject({ message: expect.stringMatching(/directory.*move it away/) });
  expect(readFileSync(join(root, name), "utf8")).toBe("mine");
});

test("a server that cannot start is reported in its own words", async () => {
  await expect(start({ durable: false, settings: { shared_buffers: "plenty" } })).rejects.toThrow(
    /shared_buffers.*plenty/,
  );
  const server = await start({ durable: false });
  expect(server.adopted).toBe(false);
});
