import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { Program } from "../demo/program";
import { quickPlace } from "../support/quick-place";
import { createTestDatabase, type TestDatabase } from "../support/template-database";

jest.setTimeout(60_000);

const directory = join(quickPlace(), `exergy-start-${randomBytes(6).toString("hex")}`);
const data = join(directory, "data");
const anyPort = { PORT: "0", RELAY_PORT: "0" };
let database: TestDatabase;
const running: Program[] = [];

function run(name: "start" | "migrate" | "operator", environment: Record<string, string>, ...args: string[]): Program {
  const program = new Program(name, { args, directory, environment: { DATA_DIR: data, ...environment } });
  running.push(program);
  return program;
}

beforeAll(async () => {
  mkdirSync(directory);
  database = await createTestDatabase();
});
afterEach(async () => {
  for (const program of running.splice(0)) await program.clear();
});
afterAll(async () => {
  await database.drop();
  rmSync(directory, { recursive: true, force: true });
});

test("a bad configuration is told whole, with exit 78 and nothing started", async () => {
  const start = run("start", { PORT: "eighty", LOG_LEVEL: "loud" });
  expect(await start.ended).toEqual({ code: 78, signal: null });
  expect(start.stderr).toMatch(/2 faults:\n {2}PORT: .*"eighty".*\n {2}LOG_LEVEL: .*"loud"/);
  expect(start.stdout).toBe("");
  expect(existsSync(data)).toBe(false);
});

test("a port that is taken is named, with exit 1, and what was opened before is closed", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as AddressInfo;
  const start = run("start", { PORT: "0", RELAY_PORT: `${port}`, LOG_LEVEL: "warn" });
  expect(await start.ended).toEqual({ code: 1, signal: null });
  other.close();
  expect(start.stderr).toBe(
    `Cannot start: port ${port} is in use: set RELAY_PORT to a free one, or stop what listens there\n`,
  );
  expect(start.left()).toEqual([]);
});

test("a database that is not there is named without its password, with exit 1", async () => {
  const start = run("start", {
    ...anyPort,
    DATABASE_URL: "postgres://someone:hush@127.0.0.1:1/exergy",
    LOG_LEVEL: "warn",
  });
  expect(await start.ended).toEqual({ code: 1, signal: null });
  expect(start.stderr).toContain("postgres://someone@127.0.0.1:1/exergy cannot be reached");
  expect(start.stderr).not.toContain("hush");
});

test("it starts on an embedded database, says what it chose, and SIGTERM stops all of it", async () => {
  const start = run("start", anyPort);
  await start.says("Exergy is up");
  const chosen = JSON.parse(start.stdout.trim().split("\n").at(-1)!) as Record<string, string>;
  expect(chosen).toMatchObject({ data, bus: "in process" });
  expect(chosen.database).toMatch(/^embedded at postgres:\/\/postgres@127\.0\.0\.1:\d+\/postgres$/);
  expect((await fetch(new URL("/readyz", chosen.graphql))).status).toBe(200);
  expect((await fetch(new URL("/readyz", chosen.relay))).status).toBe(200);
  start.child.kill("SIGTERM");
  expect(await start.ended).toEqual({ code: 0, signal: null });
  expect(start.left()).toEqual([]);
});

test("migrate, operator and start work on one external database, and the operator's key opens the API", async () => {
  const external = { ...anyPort, DATABASE_URL: database.url };
  const migrate = run("migrate", external);
  expect(await migrate.ended).toEqual({ code: 0, signal: null });
  expect(migrate.stdout).toBe("Nothing to migrate.\n");
  const operator = run("operator", external, "Night shift");
  expect(await operator.ended).toEqual({ code: 0, signal: null });
  const [key] = /exg_\w{46}/.exec(operator.stdout) ?? [];
  const start = run("start", external);
  await start.says("Exergy is up");
  const { graphql } = JSON.parse(start.stdout.trim().split("\n").at(-1)!) as { graphql: string };
  const answer = await fetch(graphql, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({ query: "{ viewer { organisation { kind name } } }" }),
  });
  expect(await answer.json()).toMatchObject({
    data: { viewer: { organisation: { kind: "OPERATOR", name: "Night shift" } } },
  });
});

test("operator takes one name and answers anything else with its usage", async () => {
  const operator = run("operator", { DATABASE_URL: database.url }, "--help");
  expect(await operator.ended).toEqual({ code: 64, signal: null });
  expect(operator.stderr).toContain("npm run operator");
});
