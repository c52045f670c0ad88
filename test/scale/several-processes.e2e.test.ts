/** Two API processes, two workers and a relay on one PostgreSQL and one Redis, each a process of its own as `npm start` runs it. */
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import {
  ApiKeyCreateDocument,
  ApiKeyRevokeDocument,
  type ApiKeyScope,
  CapacityChangesDocument,
  CapacityWindowOpenDocument,
  CreditBalanceChangesDocument,
  DrawdownCreateDocument,
  FacilityOpenDocument,
  OrganisationCreateDocument,
  type OrganisationKind,
  ProcessesDocument,
} from "../../codegen/generated/graphql";
import { Program } from "../demo/program";
import { type ApiClient, apiClient } from "../support/api-client";
import { type Following, following } from "../support/follow";
import { until } from "../support/leftovers";
import { startRedis, type TestRedis } from "../support/redis";

jest.setTimeout(120_000);

/** What an open socket may still be good for after its key was revoked, anywhere. */
const REVOCATION_MS = 5_000;
const RECOVERY_MS = 20_000;

const directory = join(tmpdir(), `exergy-scale-${randomBytes(6).toString("hex")}`);
const databaseName = `scale_${randomBytes(6).toString("hex")}`;
const programs: Program[] = [];
const sockets: Following[] = [];
let server: Client;
let redis: TestRedis;
let environment: Record<string, string>;
/** What each said when it was up. */
let apis: { graphql: string; url: string }[];
let workers: { health: string; program: Program }[];
let operator: ApiClient;

interface Party {
  readonly id: string;
  readonly secret: string;
  /** Asks the one API and the other. */
  readonly at: readonly ApiClient[];
}

function run(name: "start" | "operator", more: Record<string, string>, home: string): Program {
  const program = new Program(name, {
    directory,
    environment: { ...environment, DATA_DIR: join(directory, home), ...more },
  });
  programs.push(program);
  return program;
}

const start = (roles: string, home: string) => run("start", { ROLES: roles, PORT: "0", RELAY_PORT: "0" }, home);

async function upAs(program: Program): Promise<Record<string, string>> {
  await program.says("Exergy is up");
  return JSON.parse(program.stdout.split("\n").find((line) => line.includes("Exergy is up"))!);
}

beforeAll(async () => {
  mkdirSync(directory);
  redis = await startRedis();
  const serverUrl = new URL(process.env.TEST_DATABASE_URL!);
  server = new Client(serverUrl.href);
  await server.connect();
  await server.query(`CREATE DATABASE ${databaseName}`);
  serverUrl.pathname = `/${databaseName}`;
  environment = {
    DATABASE_URL: serverUrl.href,
    REDIS_URL: redis.url,
    SECRETS_DIR: join(directory, "secrets"),
    PUBLIC_URL: "http://exergy.example",
    DATABASE_POOL_MAX: "4",
    DRAIN_GRACE_MS: "1000",
  };
});
afterAll(async () => {
  for (const socket of sockets) await socket.close();
  for (const program of programs) await program.clear();
  await server.query(`DROP DATABASE IF EXISTS ${databaseName} WITH (FORCE)`);
  await server.end();
  await redis.close();
  rmSync(directory, { recursive: true, force: true });
});

function connect(secret: string, api: number): Following {
  const socket = following(apis[api]!.url, secret);
  sockets.push(socket);
  return socket;
}

async function a(kind: OrganisationKind, scopes: ApiKeyScope[] = ["READ", "WRITE", "ADMIN"]): Promise<Party> {
  const { organisationCreate } = await operator.read(OrganisationCreateDocument, {
    input: { kind, name: `A ${kind}` },
  });
  const id = organisationCreate.organisation!.id;
  const { apiKeyCreate } = await operator.read(ApiKeyCreateDocument, {
    input: { organisationId: id, name: "test", scopes },
  });
  const secret = apiKeyCreate.secret!;
  return { id, secret, at: apis.map(({ url }) => apiClient(url, secret)) };
}

const processes = async (api: number) => {
  const { url } = apis[api]!;
  const read = await apiClient(url, operatorSecret).read(ProcessesDocument, {});
  return read.processes;
};
let operatorSecret: string;

/** A new key of the party, revoked through the one API while a socket at the other uses it. */
async function revokedElsewhere(party: Party): Promise<{ afterMs: number; code: number }> {
  const made = await party.at[0]!.read(ApiKeyCreateDocument, { input: { name: "short-lived", scopes: ["READ"] } });
  const socket = connect(made.apiKeyCreate.secret!, 1);
  const stream = socket.follow(CreditBalanceChangesDocument, {});
  await stream.next();
  const closed = socket.closed();
  const startedMs = performance.now();
  await party.at[0]!.read(ApiKeyRevokeDocument, { input: { id: made.apiKeyCreate.apiKey!.id } });
  const { code } = await closed;
  await expect(stream.next()).rejects.toBeDefined();
  return { afterMs: performance.now() - startedMs, code };
}

async function openWindow(provider: Party, gpuCount: number): Promise<void> {
  const { capacityWindowOpen } = await provider.at[0]!.read(CapacityWindowOpenDocument, {
    input: {
      providerId: null,
      kind: "BASELINE",
      accelerator: "H100",
      region: "eu-north",
      zone: "eu-north-a",
      gpuCount,
      startsAt: new Date().toISOString(),
    },
  });
  expect(capacityWindowOpen.userErrors).toEqual([]);
}

test("processes that start at once on an empty database migrate it once, and say what they are", async () => {
  const started = [
    start("api", "a"),
    start("api", "b"),
    start("worker", "c"),
    start("worker", "d"),
    start("relay", "e"),
  ];
  const up = await Promise.all(started.map(upAs));
  expect(up.map(({ roles, bus }) => `${roles}: ${bus}`)).toEqual(
    ["api", "api", "worker", "worker", "relay"].map((role) => `${role}: Redis`),
  );
  expect(started.filter(({ stdout }) => stdout.includes('"msg":"migrated"'))).toHaveLength(1);
  apis = up.slice(0, 2).map(({ graphql }) => ({ graphql: graphql!, url: graphql!.replace(/\/graphql$/, "") }));
  workers = up.slice(2, 4).map(({ health }, index) => ({ health: health!, program: started[2 + index]! }));
  expect(up[4]!.relay).toMatch(/\/v1$/);
  const bootstrap = run("operator", {}, "f");
  const ended = await bootstrap.ended;
  expect({ ...ended, stderr: bootstrap.stderr }).toEqual({ code: 0, signal: null, stderr: "" });
  operatorSecret = /exg_\w+/.exec(bootstrap.stdout)![0];
  operator = apiClient(apis[0]!.url, operatorSecret);
});

test("a worker has health and metrics at its port, and nothing else", async () => {
  for (const { health } of workers) {
    expect((await fetch(health)).status).toBe(200);
    expect((await fetch(health.replace("healthz", "readyz"))).status).toBe(200);
    expect(await (await fetch(health.replace("healthz", "metrics"))).text()).toMatch(/^exergy_worker_leads [01]$/m);
    expect((await fetch(health.replace("healthz", "graphql"))).status).toBe(404);
  }
});

test("an operator sees all of them from any of them, and nobody else does", async () => {
  await until("all have announced themselves", async () => (await processes(0)).length === 5, 15_000);
  for (const api of [0, 1]) {
    const roles = (await processes(api)).map((process) => process.roles.join());
    expect(roles.sort()).toEqual(["API", "API", "RELAY", "WORKER", "WORKER"]);
  }
  const provider = await a("PROVIDER");
  expect(await provider.at[0]!.codes(ProcessesDocument, {})).toEqual(["FORBIDDEN"]);
  expect(await apiClient(apis[0]!.url).codes(ProcessesDocument, {})).toEqual(["UNAUTHENTICATED"]);
});

test("what is written through one reaches the subscribers of both", async () => {
  const [partner, startup, provider] = await Promise.all([a("CAPITAL_PARTNER"), a("STARTUP"), a("PROVIDER")]);
  const balances = [0, 1].map((api) => connect(startup.secret, api).follow(CreditBalanceChangesDocument, {}));
  for (const balance of balances) expect((await balance.next()).creditBalance.available.amount).toBe("0");
  const { facilityOpen } = await partner.at[0]!.read(FacilityOpenDocument, {
    input: { name: "Seed", limit: "100", multiplier: "1.35" },
  });
  await partner.at[0]!.read(DrawdownCreateDocument, {
    input: { facilityId: facilityOpen.facility!.id, startupId: startup.id, amount: "10" },
    idempotencyKey: "scale",
  });
  for (const balance of balances) expect((await balance.next()).creditBalance.available.amount).toBe("13.5");

  const windows = [0, 1].map((api) => connect(provider.secret, api).follow(CapacityChangesDocument, {}));
  await Promise.all(windows.map((stream) => stream.next()));
  await openWindow(provider, 8);
  for (const stream of windows) {
    let message = await stream.next();
    while (message.capacityChanges.__typename !== "CapacityWindowEvent") message = await stream.next();
    expect(message.capacityChanges.node.gpuCount).toBe(8);
  }
});

test("a key that is revoked through one closes the sockets that use it at the other, by the bus", async () => {
  const { afterMs, code } = await revokedElsewhere(await a("STARTUP"));
  expect(code).toBe(4403);
  expect(afterMs).toBeLessThan(REVOCATION_MS);
});

test("the worker that leads killed, the other one goes on publishing", async () => {
  const provider = await a("PROVIDER");
  const stream = connect(provider.secret, 1).follow(CapacityChangesDocument, {});
  await stream.next();
  const leads = async (health: string) =>
    /^exergy_worker_leads 1$/m.test(await (await fetch(health.replace("healthz", "metrics"))).text());
  const leading = await Promise.all(workers.map(({ health }) => leads(health)));
  expect(leading.filter(Boolean)).toHaveLength(1);
  workers[leading.indexOf(true)]!.program.child.kill("SIGKILL");
  await openWindow(provider, 16);
  let message = await stream.next();
  while (message.capacityChanges.__typename !== "CapacityWindowEvent") message = await stream.next();
  expect(message.capacityChanges.node.gpuCount).toBe(16);
  expect(await leads(workers[leading.indexOf(false)]!.health)).toBe(true);
});

test("Redis killed: revocation within five seconds, durable events and answers all the same, and nobody ends", async () => {
  const [startup, provider] = await Promise.all([a("STARTUP"), a("PROVIDER")]);
  const stream = connect(provider.secret, 1).follow(CapacityChangesDocument, {});
  await stream.next();
  await redis.kill();
  await openWindow(provider, 4);
  let message = await stream.next();
  while (message.capacityChanges.__typename !== "CapacityWindowEvent") message = await stream.next();
  expect(message.capacityChanges.node.gpuCount).toBe(4);
  const { afterMs, code } = await revokedElsewhere(startup);
  expect(code).toBe(4403);
  expect(afterMs).toBeLessThan(REVOCATION_MS);
  for (const api of [0, 1]) expect(await processes(api)).toHaveLength(1);
  for (const { url } of apis) expect((await fetch(`${url}/readyz`)).status).toBe(200);
});

test("Redis started again, empty: they find each other, and the bus works", async () => {
  await redis.restart();
  await until("all but the killed worker are there", async () => (await processes(1)).length === 4, RECOVERY_MS);
  const { afterMs } = await revokedElsewhere(await a("STARTUP"));
  expect(afterMs).toBeLessThan(REVOCATION_MS);
});

test("told to stop, each ends cleanly, and none has met an error that it did not expect", async () => {
  for (const socket of sockets.splice(0)) await socket.close();
  const live = programs.filter(({ child }) => child.exitCode === null && child.signalCode === null);
  expect(live).toHaveLength(4);
  for (const { child } of live) child.kill("SIGTERM");
  for (const program of live) {
    expect(await program.ended).toEqual({ code: 0, signal: null });
    expect(program.stderr).toBe("");
    const errors = program.stdout.split("\n").filter((line) => line.includes('"level":"error"'));
    expect(errors.filter((line) => !line.includes("Redis is away"))).toEqual([]);
  }
});
