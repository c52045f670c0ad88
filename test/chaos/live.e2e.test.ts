/**
 * Durable streams through two API processes while processes, Redis and sockets are killed at random. Short here; the long
 * run is `npm run chaos -- live`. CHAOS_SEED repeats a run's choices.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { ApiKeyCreateDocument, OrganisationCreateDocument } from "../../codegen/generated/graphql";
import { CapacityWindow } from "../../entities/capacity-window";
import { SlaBreach } from "../../entities/sla-breach";
import { encodeId } from "../../schema/node";
import { MemoryBus } from "../../src/events/event-bus";
import { Outbox } from "../../src/events/outbox";
import { systemClock } from "../../src/platform/clock";
import { type Database, openDatabase } from "../../src/platform/database";
import { newId } from "../../src/platform/ids";
import { transaction } from "../../src/platform/transaction";
import { registered, uuidOf } from "../api/an-api";
import { Program } from "../demo/program";
import { apiClient } from "../support/api-client";
import { until } from "../support/leftovers";
import { startRedis, type TestRedis } from "../support/redis";
import { createTestDatabase, type TestDatabase } from "../support/template-database";
import { faultsOf, type StreamName, type Subscriber, streams, subscribe, type Told } from "./subscribers";

const kills = Number(process.env.CHAOS_KILLS ?? 10);
const subscriberCount = Number(process.env.CHAOS_SUBSCRIBERS ?? 20);
const seed = Number(process.env.CHAOS_SEED ?? 1);

/** A process has to start, and 200 clients to come back, on a machine that does other things as well. */
const RECOVERY_MS = 60_000;
const KILL_PATIENCE_MS = 6_000;
const KEYS = 5;

jest.setTimeout(60_000 + RECOVERY_MS + kills * KILL_PATIENCE_MS);

const directory = join(tmpdir(), `exergy-chaos-${randomBytes(6).toString("hex")}`);
const random = seeded(seed);
const programs: Program[] = [];
const subscribers: Subscriber[] = [];
let database: TestDatabase;
let db: Database;
let redis: TestRedis;
let environment: Record<string, string>;
let apis: Api[];

/** One place for an API process; another process may stand there after each kill. */
class Api {
  /** Null while none answers. */
  url: string | null = null;
  private program: Program | undefined;

  constructor(private readonly home: string) {}

  async start(): Promise<void> {
    this.program = run("start", { ROLES: "api", PORT: "0", DATA_DIR: join(directory, this.home) });
    await this.program.says("Exergy is up");
    this.url = /"graphql":"([^"]+)"/.exec(this.program.stdout)![1]!;
  }

  async kill(): Promise<void> {
    this.url = null;
    await this.program?.clear();
  }
}

function run(name: "start" | "operator", more: Record<string, string>): Program {
  const program = new Program(name, { directory, environment: { ...environment, ...more } });
  programs.push(program);
  return program;
}

beforeAll(async () => {
  mkdirSync(directory);
  [redis, database] = await Promise.all([startRedis(), createTestDatabase()]);
  db = await openDatabase({ url: database.url });
  environment = {
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    SECRETS_DIR: join(directory, "secrets"),
    PUBLIC_URL: "http://exergy.example",
    DATABASE_POOL_MAX: "4",
    LOG_LEVEL: "info",
  };
  const worker = run("start", { ROLES: "worker", PORT: "0", DATA_DIR: join(directory, "worker") });
  await worker.says("Exergy is up");
  apis = [new Api("a"), new Api("b")];
  await Promise.all(apis.map((api) => api.start()));
});
afterAll(async () => {
  for (const subscriber of subscribers) await subscriber.close();
  for (const program of programs) await program.clear();
  await db.close();
  await database.drop();
  await redis.close();
  rmSync(directory, { recursive: true, force: true });
});

it("loses nothing, tells nothing twice and names every gap, whatever is killed", async () => {
  const provider = await aProvider();
  const outbox = new Outbox(db, new MemoryBus(() => undefined), systemClock);
  for (let n = 0; n < subscriberCount; n++) {
    const stream: StreamName = n % 2 === 0 ? "capacityChanges" : "slaBreaches";
    subscribers.push(subscribe(stream, { secret: provider.secrets[n % KEYS]!, url: anyApi, random }));
  }
  await until("all follow", () => subscribers.every((subscriber) => subscriber.stands()), RECOVERY_MS);
  const writing = new AbortController();
  const writer = write(outbox, provider, writing.signal);
  const chaos: Record<string, number> = { api: 0, redis: 0, sockets: 0 };
  const repairs = new Set<Promise<void>>();
  for (let n = 0; n < kills; n++) {
    chaos[await killSomething(repairs)]! += 1;
    await pause(random() * 500);
  }
  await Promise.all(repairs);
  writing.abort();
  await writer;
  const written = { capacityChanges: await writtenTo("capacityChanges"), slaBreaches: await writtenTo("slaBreaches") };
  await until(
    "all have heard of the last event",
    () =>
      subscribers.every(
        ({ stream, events, failures }) => failures.length > 0 || events.at(-1) === written[stream].at(-1),
      ),
    RECOVERY_MS,
  ).catch(() => undefined); // Who has not is named below.
  if (process.env.CHAOS_KILLS !== undefined) report(chaos, written);
  const faults = subscribers.flatMap((subscriber, n) =>
    faultsOf(subscriber, written[subscriber.stream]).map((fault) => `${n}: ${fault}`),
  );
  expect({ seed, faults }).toEqual({ seed, faults: [] });
  expect(Math.min(...Object.values(written).map((events) => events.length))).toBeGreaterThan(kills);
});

interface Provider {
  readonly uuid: string;
  readonly endpointId: string;
  readonly secrets: readonly string[];
}

async function aProvider(): Promise<Provider> {
  const bootstrap = run("operator", { DATA_DIR: join(directory, "operator") });
  await bootstrap.ended;
  const url = apis[0]!.url!.replace(/\/graphql$/, "");
  const operator = apiClient(url, /exg_\w+/.exec(bootstrap.stdout)![0]);
  const { organisationCreate } = await operator.read(OrganisationCreateDocument, {
    input: { kind: "PROVIDER", name: "North" },
  });
  const { id } = organisationCreate.organisation!;
  const secrets: string[] = [];
  for (let n = 0; n < KEYS; n++) {
    const input = { organisationId: id, name: `chaos ${n}`, scopes: ["READ" as const, "WRITE" as const] };
    secrets.push((await operator.read(ApiKeyCreateDocument, { input })).apiKeyCreate.secret!);
  }
  const north = { ...apiClient(url, secrets[0]!), id, uuid: uuidOf(id), secret: secrets[0]! };
  return { uuid: north.uuid, endpointId: uuidOf(await registered(north, "North one")), secrets };
}

/** As a load balancer would: only to one that answers; to a dead address while none does. */
function anyApi(): string {
  const up = apis.flatMap(({ url }) => url ?? []);
  const chosen = up[Math.floor(random() * up.length)] ?? "http://127.0.0.1:9/graphql";
  return chosen.replace(/^http/, "ws");
}

/** Events straight into the database, where every act leaves them, at a pace that does not wait for anybody. */
async function write(outbox: Outbox, { uuid, endpointId }: Provider, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    await transaction(db, async (tx) => {
      const id = newId();
      const now = new Date();
      if (random() < 0.5) {
        await tx.insert(CapacityWindow, {
          id,
          providerId: uuid,
          accelerator: "H100",
          region: "eu-north",
          zone: "eu-north-a",
          kind: "BASELINE",
          gpuCount: 8,
          startsAt: now,
          endsAt: null,
          cancelledAt: null,
          createdAt: now,
          version: 1,
        });
        await outbox.append(tx, "capacity.window.announced", uuid, { windowId: id });
      } else {
        const minute = now.toISOString();
        const counts = { requests: 20, failed: 20, ttftSamples: 0, within100Ms: 0, within200Ms: 0, within500Ms: 0 };
        await tx.insert(SlaBreach, {
          id,
          endpointId,
          kind: "UPTIME",
          slaTier: "STANDARD",
          openedAt: now,
          closedAt: now,
          evidence: { minute, ...counts, probes: 0, probesFailed: 0 },
        });
        await outbox.append(tx, "sla.breach.opened", uuid, { breachId: id });
      }
    });
    await pause(random() * 30);
  }
}

/** What is repaired goes on meanwhile: the next kill does not wait for it, but finds something else to kill. */
async function killSomething(repairs: Set<Promise<void>>): Promise<"api" | "redis" | "sockets"> {
  const mend = (work: Promise<void>) => {
    const repair: Promise<void> = work.finally(() => repairs.delete(repair));
    repairs.add(repair);
  };
  const dice = random();
  const up = apis.filter(({ url }) => url !== null);
  if (dice < 0.35 && up.length > 0) {
    const victim = up[Math.floor(random() * up.length)]!;
    await victim.kill();
    mend(victim.start());
    return "api";
  }
  if (dice < 0.65 && !redisAway) {
    redisAway = true;
    await redis.kill();
    const awayMs = random() * 1_500;
    mend(
      pause(awayMs)
        .then(() => redis.restart())
        .then(() => {
          redisAway = false;
        }),
    );
    return "redis";
  }
  for (const subscriber of subscribers) if (random() < 0.2) subscriber.cut();
  return "sockets";
}
let redisAway = false;

/** What the database says was published, in its order. */
async function writtenTo(stream: StreamName): Promise<Told[]> {
  const told = new Map<string, string>(Object.entries(streams[stream].told));
  const rows = await until("all is published", async () => {
    const found: { topic: string; payload: Record<string, string>; position: string | null }[] = await db.source.query(
      "SELECT topic, payload, position FROM outbox_event WHERE topic = ANY ($1) ORDER BY position",
      [[...told.keys()]],
    );
    return found.every(({ position }) => position !== null) ? found : null;
  });
  const type = stream === "capacityChanges" ? "CapacityWindow" : "SlaBreach";
  return rows.map(({ topic, payload }) => `${told.get(topic)} ${encodeId(type, Object.values(payload)[0]!)}`);
}

function report(chaos: Record<string, number>, written: Record<StreamName, readonly Told[]>): void {
  const sum = (of: (subscriber: Subscriber) => number) => subscribers.reduce((total, one) => total + of(one), 0);
  console.log(
    JSON.stringify({
      seed,
      kills: chaos,
      subscribers: subscribers.length,
      events: Object.values(written).reduce((total, { length }) => total + length, 0),
      told: sum(({ events }) => events.length),
      connections: sum((one) => one.connections()),
      gaps: subscribers.flatMap(({ gaps }) => gaps.map(({ reason }) => reason)),
    }),
  );
}

/** mulberry32: the same numbers for the same seed. */
function seeded(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
