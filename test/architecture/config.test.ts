import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ConfigError, environmentSchema, readConfig } from "../../src/platform/config";

interface Row {
  name: string;
  value: string;
  commentedOut: boolean;
  /** The line above it. */
  comment: string;
}

const lines = readFileSync(join(__dirname, "../../.env.example"), "utf8").split("\n");
const rows: Row[] = lines.flatMap((line, index) => {
  const match = /^(# )?([A-Z][A-Z0-9_]*)=(.*)$/.exec(line);
  if (match === null) return [];
  return [{ name: match[2]!, value: match[3]!, commentedOut: match[1] !== undefined, comment: lines[index - 1] ?? "" }];
});

const defaults = Object.entries(environmentSchema.parse({}));
const names = Object.keys(environmentSchema.shape);

function faultsOf(environment: Record<string, string>): readonly string[] {
  try {
    readConfig(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

test(".env.example lists every variable once, and no other", () => {
  expect(rows.map(({ name }) => name).sort()).toEqual([...names].sort());
});

test(".env.example has a comment above each variable", () => {
  expect(rows.filter(({ comment }) => !/^# [^=]*[.;]/.test(comment)).map(({ name }) => name)).toEqual([]);
});

test(".env.example gives the default of each variable that has one", () => {
  const given = rows.filter(({ commentedOut }) => !commentedOut).map(({ name, value }) => [name, value]);
  expect(given.sort()).toEqual(
    defaults
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, `${value}`])
      .sort(),
  );
});

test("the examples of variables without a default would be accepted", () => {
  const examples = rows.filter(({ commentedOut }) => commentedOut);
  expect(examples.length).toBeGreaterThan(0);
  expect(faultsOf(Object.fromEntries(examples.map(({ name, value }) => [name, value])))).toEqual([]);
});

test("a .env file as shipped changes nothing", () => {
  const file = Object.fromEntries(rows.filter((row) => !row.commentedOut).map(({ name, value }) => [name, value]));
  expect(readConfig(file)).toEqual(readConfig({}));
});

test("every fault comes in one message, by name, with what was given, but for a URL that may hold a password", () => {
  const environment = {
    PORT: "no-number",
    LOG_LEVEL: "loud",
    DATABASE_URL: "mysql://me:secret@db",
    DRAIN_GRACE_MS: "0",
  };
  const faults = faultsOf(environment);
  expect(faults).toHaveLength(4);
  for (const [name, value] of Object.entries(environment)) {
    expect(
      faults.filter((fault) => fault.startsWith(`${name}: `) && fault.includes(value) === (name !== "DATABASE_URL")),
    ).toHaveLength(1);
  }
  expect(new ConfigError(faults).message).toBe(
    `The configuration has 4 faults:\n${faults.map((fault) => `  ${fault}`).join("\n")}`,
  );
});

test("values that do not fit each other are faults too", () => {
  const environment = { PORT: "4001", UPSTREAM_FIRST_BYTE_TIMEOUT_MS: "9000", UPSTREAM_TOTAL_TIMEOUT_MS: "8000" };
  expect(faultsOf(environment).map((fault) => fault.split(":")[0])).toEqual([
    "RELAY_PORT",
    "UPSTREAM_FIRST_BYTE_TIMEOUT_MS",
  ]);
});

test("the time of a system in production cannot be moved", () => {
  expect(faultsOf({ TEST_CLOCK: "on", NODE_ENV: "production" }).map((fault) => fault.split(":")[0])).toEqual([
    "TEST_CLOCK",
  ]);
  expect(readConfig({ TEST_CLOCK: "on", NODE_ENV: "test" }).testClock).toBe(true);
  expect([readConfig({}).testClock, readConfig({ NODE_ENV: "production" }).testClock]).toEqual([false, false]);
});

test("an empty variable is one that is not set", () => {
  expect(readConfig({ PORT: "", DATABASE_URL: "" })).toEqual(readConfig({}));
});
