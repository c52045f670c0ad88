/** Starts and stops a whole process: database, Redis, rooms, API, relay, jobs, as its roles say. Used by start, the demo, benches and tests. */
import "reflect-metadata";
import { createHash } from "node:crypto";
import type { Server } from "node:http";
import { hostname } from "node:os";
import { resolverClasses } from "../resolvers";
import { createApiServer } from "../src/api/server";
import { MemoryBus } from "../src/events/event-bus";
import { FamilyBus } from "../src/events/family-bus";
import { RedisBus } from "../src/events/redis-bus";
import { watchBlocks } from "../src/funding/block-metrics";
import { watchCoverage } from "../src/funding/coverage-metrics";
import { startJobs } from "../src/jobs";
import { watchLedger } from "../src/ledger/ledger-metrics";
import { type Clock, systemClock } from "../src/platform/clock";
import type { Config } from "../src/platform/config";
import type { Database } from "../src/platform/database";
import { createHealthServer } from "../src/platform/health-server";
import { listen } from "../src/platform/http-server";
import { newId } from "../src/platform/ids";
import { type Leadership, openLeadership } from "../src/platform/leadership";
import type { Log } from "../src/platform/log";
import { createMetrics, type Metrics } from "../src/platform/metrics";
import type { ProcessLine } from "../src/platform/process-line";
import { openRedis, type RedisLink } from "../src/platform/redis";
import { openSecrets } from "../src/platform/secrets";
import type { Shutdown } from "../src/platform/shutdown";
import { OffsetClock } from "../src/platform/test-clock";
import { ParentAllowances } from "../src/relay/limits/allowance-store";
import { operations } from "../src/relay/operations/operations";
import { createRelayServer, type RelayServer } from "../src/relay/server";
import type * as TelemetryModule from "../src/relay/telemetry";
import { createServices, type Services } from "../src/services";
import { watchSla } from "../src/sla/sla-metrics";
import { readOffsetMs, TimeWasMoved } from "../src/system/clock-offset";
import { openRelayIdentity, type RelayIdentity } from "../src/upstreams/identity";
import { watchWorkloads } from "../src/workloads/workload-metrics";
import { subscriptionClasses } from "../subscriptions";
import { openManifest } from "./manifest";
import { openRelayProcesses, type RelayProcesses } from "./relay-processes";
import { openAnswerKey, openPepper, openSealingKey, openStore } from "./store";
import { version } from "./version";

export interface Exergy {
  readonly services: Services;
  readonly identity: RelayIdentity;
  /** Of PORT: the API, or health and metrics alone when this process is no API. */
  readonly apiUrl: string;
  /** Null when this process does not relay. */
  readonly relayUrl: string | null;
  readonly databaseUrl: string;
  readonly database: "embedded" | "external";
  readonly bus: "in process" | "among its processes" | "Redis" | "Redis Cluster";
}

type Closing = Pick<Shutdown, "add">;

/** What a process that another one started knows of it. */
export interface Parent {
  readonly line: ProcessLine;
  /** Which of the parent's children this is, from 1. */
  readonly number: number;
}

/**
 * Everything that was opened is handed to `shutdown`, which closes it in reverse order. A process with a parent has no
 * PORT of its own. Errors: PortUnavailable, ChildFailed, EmbeddedPostgresError, those of pg.
 */
export async function startExergy(given: Config, log: Log, shutdown: Closing, parent?: Parent): Promise<Exergy> {
  const { own: config, relayProcesses } = split(given);
  const store = await openStore(config, log, shutdown);
  const { db } = store;
  const testClock = await openTestClock(config, db, log);
  const clock = testClock ?? systemClock;
  const identity = await openRelayIdentity(await openSecrets(config.secretsDirectory), systemClock.nowMs());
  const pepper = await openPepper(config);
  const sealingKey = await openSealingKey(config);
  const answerKey = await openAnswerKey(config);
  const metrics = createMetrics(parent === undefined ? {} : { process: parent.number });
  parent?.line.answer("metrics", () => metrics.text());
  const instance = newId();
  const kin = parent !== undefined || relayProcesses > 0;
  const { redis, bus } = openBus(config, { log, metrics, shutdown, instance, pepper, kin });
  if (parent !== undefined && bus instanceof FamilyBus) bus.join(parent.line);
  const services = createServices(
    {
      config,
      db,
      clock,
      testClock,
      log,
      identity,
      pepper,
      sealingKey,
      answerKey,
      publicUrl: config.publicUrl ?? `http://localhost:${config.port}`,
      egress: { allowLoopback: config.allowLoopbackUpstreams, ownHosts: ownHosts(config) },
      operations,
      redis,
      instance,
      version,
    },
    bus,
  );
  shutdown.add("presence", () => services.processes.leave());
  shutdown.add("upstream pools", () => services.upstreams.close());
  shutdown.add("queued writes", async () => {
    await services.workloads.drain();
    await services.metering.drain();
    await services.routing.drain();
    await services.sla.flush();
  });
  if (config.roles.includes("relay")) await services.routing.refresh();
  watchBlocks(metrics, services.blocks);
  const leadership = await openLead(config, { url: store.url, log, metrics, shutdown });
  const leads = () => leadership?.held() ?? false;
  if (config.roles.includes("worker")) watchBusiness(metrics, services, leads);
  const jobs = startJobs(services, { config, db, log, leads });
  shutdown.add("jobs", () => jobs.stop());
  const relays =
    relayProcesses > 0 ? openRelayProcesses(given, { log, metrics, bus, databaseUrl: store.url }) : undefined;
  const edges = await openEdges(config, { log, shutdown, services, identity, metrics, clock, relays, parent });
  const shared = redis?.kind === "cluster" ? "Redis Cluster" : "Redis";
  return {
    services,
    identity,
    ...edges,
    databaseUrl: store.url,
    database: store.kind,
    bus: redis !== undefined ? shared : kin ? "among its processes" : "in process",
  };
}

/** What is judged by the worker that leads. */
function watchBusiness(metrics: Metrics, services: Services, leads: () => boolean): void {
  watchLedger(metrics, services);
  watchWorkloads(metrics, services.workloads);
  watchCoverage(metrics, services.funding.coverageWatch, leads);
  watchSla(metrics, services.sla, leads);
}

/** Where several processes relay, this one does everything else. */
function split(given: Config): { own: Config; relayProcesses: number } {
  const { processes } = given.relay;
  if (processes === 1 || !given.roles.includes("relay")) return { own: given, relayProcesses: 0 };
  return { own: { ...given, roles: given.roles.filter((role) => role !== "relay") }, relayProcesses: processes };
}

/** Null unless it was asked for. Errors: TimeWasMoved when the books are ahead of the real time. */
async function openTestClock(config: Config, db: Database, log: Log): Promise<OffsetClock | null> {
  const offsetMs = await readOffsetMs(db);
  if (!config.testClock) {
    if (offsetMs > 0) throw new TimeWasMoved(offsetMs);
    return null;
  }
  const testClock = new OffsetClock();
  testClock.moveTo(offsetMs);
  log.warn({ offsetMs }, "operators may move the time of this system: it is for tests alone");
  return testClock;
}

interface Opening {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly shutdown: Closing;
}

function openBus(
  config: Config,
  { log, metrics, shutdown, instance, pepper, kin }: Opening & { instance: string; pepper: Buffer; kin: boolean },
): { redis: RedisLink | undefined; bus: MemoryBus | FamilyBus | RedisBus } {
  if (config.redisUrl === undefined && kin) {
    const bus = new FamilyBus({ log });
    shutdown.add("bus", () => bus.flush());
    return { redis: undefined, bus };
  }
  if (config.redisUrl === undefined) {
    return { redis: undefined, bus: new MemoryBus((err) => log.error({ err }, "a listener failed")) };
  }
  const redis = openRedis(config.redisUrl, log, systemName(pepper));
  shutdown.add("Redis", () => redis.close());
  const bus = new RedisBus({ redis, instance, log });
  shutdown.add("bus", () => bus.close());
  metrics.gauge({
    name: "exergy_redis_connected",
    help: "1 while commands to Redis have a chance.",
    read: () => Number(redis.connected()),
  });
  for (const [kind, help] of [
    ["unsent", "Events that could not be sent to the other processes since the start."],
    ["missed", "Holes in what other processes said since the start; each made this one read again."],
    ["invalid", "Messages that were not understood since the start."],
  ] as const) {
    metrics.gauge({ name: `exergy_bus_${kind}`, help, read: () => bus.lost[kind] });
  }
  return { redis, bus };
}

/** Same for all that share the pepper, and only for them: two systems on one Redis do not hear each other. */
function systemName(pepper: Buffer): string {
  return createHash("sha256").update("exergy redis ").update(pepper).digest("hex").slice(0, 12);
}

async function openLead(
  config: Config,
  { url, log, metrics, shutdown }: Opening & { url: string },
): Promise<Leadership | null> {
  if (!config.roles.includes("worker")) return null;
  const leadership = await openLeadership({ url, name: "worker", log });
  shutdown.add("leadership", () => leadership.stop());
  metrics.gauge({
    name: "exergy_worker_leads",
    help: "1 in the one worker that does what is done once.",
    read: () => Number(leadership.held()),
  });
  return leadership;
}

interface Edges extends Opening {
  readonly clock: Clock;
  readonly services: Services;
  readonly identity: RelayIdentity;
  /** Those that relay in this one's place. */
  readonly relays: RelayProcesses | undefined;
  readonly parent: Parent | undefined;
}

/** The port of everything but the relay. */
interface Front {
  readonly server: Server;
  startDraining(): void;
  stop(): Promise<void>;
}

async function openEdges(config: Config, edges: Edges): Promise<Pick<Exergy, "apiUrl" | "relayUrl">> {
  const { shutdown, services, metrics, relays, parent } = edges;
  metrics.gauge({
    name: "exergy_processes",
    help: "Processes of the system that this one knows of.",
    read: () => services.processes.known,
  });
  const relay = config.roles.includes("relay") ? openRelay(config, edges) : null;
  const front = parent === undefined ? await openFront(config, edges) : null;
  const port = front === null ? 0 : await listen(front.server, config.port, config.host, "PORT");
  if (front !== null) shutdown.add("API", () => front.stop());
  // Also when not all of them come up.
  if (relays !== undefined) shutdown.add("relay", () => stopRelay(config, { front, relays }));
  const relayPort =
    relay === null
      ? ((await relays?.start()) ?? null)
      : await listen(relay.server, config.relayPort, config.host, "RELAY_PORT");
  if (relay !== null) shutdown.add("relay", () => stopRelay(config, { front, relay }));
  const host = ["0.0.0.0", "::"].includes(config.host) ? "localhost" : config.host;
  return { apiUrl: `http://${host}:${port}`, relayUrl: relayPort === null ? null : `http://${host}:${relayPort}` };
}

function openRelay(config: Config, { services, clock, log, metrics, shutdown, parent }: Edges): RelayServer {
  // Where there is no Redis, what several processes may send together is kept by the one that started them.
  const allowances = services.redis === undefined && parent ? new ParentAllowances(parent.line) : undefined;
  const dependencies = { ...services, config, clock, log, allowances };
  if (config.otlpEndpoint === undefined) return createRelayServer(dependencies, metrics);
  // Loaded only where it is wanted: its packages take 17 MB and some tenths of a second.
  const { openTelemetry } = require("../src/relay/telemetry") as typeof TelemetryModule;
  const telemetry = openTelemetry({ endpoint: config.otlpEndpoint, version, log });
  shutdown.add("telemetry", () => telemetry.close());
  return createRelayServer({ ...dependencies, watchers: [telemetry.watch] }, metrics);
}

interface Serving {
  readonly front: Front | null;
  readonly relay?: RelayServer;
  readonly relays?: RelayProcesses;
}

async function stopRelay(config: Config, { front, relay, relays }: Serving): Promise<void> {
  relay?.startDraining();
  front?.startDraining();
  await relay?.stop(config.drainGraceMs);
  await relays?.stop();
}

async function openFront(config: Config, edges: Edges): Promise<Front> {
  return config.roles.includes("api") ? openApi(config, edges) : openHealth(edges);
}

async function openApi(config: Config, { services, log, metrics, identity }: Edges) {
  const api = await createApiServer({
    config,
    services,
    log,
    metrics,
    resolvers: [...resolverClasses, ...subscriptionClasses],
    documents: {
      "/.well-known/jwks.json": { contentType: "application/json", body: JSON.stringify(identity.jwks) },
      "/.well-known/relay-ca.pem": { contentType: "application/x-pem-file", body: identity.clientCaPem },
    },
    manifest: openManifest(),
  });
  services.processes.countWith(() => api.live());
  return api;
}

function openHealth({ services, metrics }: Edges) {
  const unready = () =>
    services.outbox.head().then(
      () => null,
      () => "database unavailable",
    );
  return createHealthServer({ metrics, unready });
}

/** A provider whose endpoint is one of our own doors would make us call ourselves. */
function ownHosts(config: Config): string[] {
  const names = new Set(["127.0.0.1", "localhost", "[::1]", hostname()]);
  const own = [...names].flatMap((name) => [`${name}:${config.port}`, `${name}:${config.relayPort}`]);
  return config.publicUrl === undefined ? own : [...own, new URL(config.publicUrl).host];
}
