import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { DemoFile } from "../../demo/demo-file";
import { until } from "../../demo/wait";
import { quickPlace } from "../support/quick-place";
import { Program } from "./program";

/** Three runs, one after the other, on one data directory, as a newcomer would make them. */
jest.setTimeout(240_000);

// Not made by mkdtemp, whose mode of 0700 would shut out the user that a root process runs PostgreSQL as.
const directory = join(quickPlace(), `exergy-demo-${randomBytes(6).toString("hex")}`);
const data = join(directory, "data");
const demoFile = (): DemoFile => JSON.parse(readFileSync(join(data, "demo.json"), "utf8"));
let running: Program | undefined;

function startDemo(...args: string[]): Program {
  running = new Program("demo", { args, directory, environment: { DATA_DIR: data, PORT: "0", RELAY_PORT: "0" } });
  return running;
}

beforeAll(() => mkdirSync(directory));
afterEach(() => running?.clear());
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test("a flag that is not known is answered with the usage and exit 64, and nothing is started", async () => {
  const demo = startDemo("--twice");
  expect(await demo.ended).toEqual({ code: 64, signal: null });
  expect(demo.stderr).toContain("--quiet-traffic");
  expect(() => statSync(data)).toThrow("ENOENT");
});

test("the demo stays up for others, its file says where, and Ctrl-C leaves no process behind", async () => {
  const demo = startDemo("--quiet-traffic");
  await demo.says("Ctrl-C stops everything.");
  expect(statSync(join(data, "demo.json")).mode & 0o777).toBe(0o600);
  const file = demoFile();
  expect(Object.keys(file)).toEqual(["graphql", "subscriptions", "dashboard", "relay", "keys", "models"]);
  expect([file.keys.providers.length, file.keys.startups.length, file.keys.capitalPartners.length]).toEqual([3, 2, 1]);
  const asked = await fetch(file.graphql, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${file.keys.operator}` },
    body: JSON.stringify({ query: "{ viewer { organisation { kind } } }" }),
  });
  expect(await asked.json()).toMatchObject({ data: { viewer: { organisation: { kind: "OPERATOR" } } } });
  const models = await fetch(`${file.relay}/models`, { headers: { authorization: `Bearer ${file.keys.startups[0]}` } });
  const listed = (await models.json()) as { data: { id: string }[] };
  expect(listed.data.map(({ id }) => id).sort()).toEqual([...file.models].sort());
  demo.child.kill("SIGINT");
  expect(await demo.ended).toEqual({ code: 0, signal: null });
  expect(demo.left()).toEqual([]);
});

test("a demo that is killed takes its providers with it, and the next one works on its data and adds up", async () => {
  const killed = startDemo();
  await killed.says("Ctrl-C stops everything.");
  killed.child.kill("SIGKILL");
  await killed.ended;
  const providers = () => killed.left().filter((line) => !line.includes("postgres"));
  expect(await until(() => providers().length === 0, 10_000)).toBe(true);

  const next = startDemo("--once");
  expect(await next.ended).toEqual({ code: 0, signal: null });
  expect(next.stdout).toContain("retired 3 endpoints of earlier demos");
  expect(next.stdout).toContain("✓ backing released = Σ accruals + Σ spread");
  expect(next.stdout).not.toContain("✗");
  expect(next.stderr).toBe("");
  expect(next.left()).toEqual([]);
});
