/** Starts and stops a whole process: database, rooms, API, relay, jobs. Used by start, the demo, benches and tests. */
import "reflect-metadata";
import { hostname } from "node:os";
import { join } from "node:path";
import { resolverClasses } from "../resolvers";
import { createApiServer } from "../src/api/server";
import { MemoryBus } from "../src/events/event-bus";
import { startJobs } from "../src/jobs";
import { systemClock } from "../src/platform/clock";
import type { Config } from "../src/platform/config";
import { listen } from "../src/platform/http-server";
import type { Log } from "../src/platform/log";
import { createMetrics } from "../src/platform/metrics";
import { openSecrets } from "../src/platform/secrets";
import type { Shutdown } from "../src/platform/shutdown";
import { createRelayServer } from "../src/relay/server";
import { createServices, type Services } from "../src/services";
import { openRelayIdentity, type RelayIdentity } from "../src/upstreams/identity";
import { subscriptionClasses } from "../subscriptions";
import { openPepper, openStore } from "./store";

export interface Exergy {
  readonly services: Services;
  readonly identity: RelayIdentity;
  readonly apiUrl: string;
  readonly relayUrl: string;
  readonly databaseUrl: string;
  readonly database: "embedded" | "external";
}

/** Everything that was opened is handed to `shutdown`, which closes it in reverse order. Errors: PortUnavailable, EmbeddedPostgresError, those of pg. */
export async function startExergy(config: Config, log: Log, shutdown: Pick<Shutdown, "add">): Promise<Exergy> {
  const store = await openStore(config, log, shutdown);
  const { db } = store;
  const secrets = await openSecrets(join(config.dataDirectory, "secrets"));
  const identity = await openRelayIdentity(secrets, systemClock.nowMs());
  const pepper = await openPepper(config);
  const publicUrl = config.publicUrl ?? `http://localhost:${config.port}`;
  const bus = new MemoryBus((error) => log.error({ err: error }, "a listener failed"));
  const services = createServices(
    {
      config,
      db,
      clock: systemClock,
      log,
      identity,
      pepper,
      publicUrl,
      egress: { allowLoopback: config.allowLoopbackUpstreams, ownHosts: ownHosts(config) },
    },
    bus,
  );
  shutdown.add("upstream pools", () => services.upstreams.close());
  shutdown.add("queued writes", async () => {
    await services.metering.drain();
    await services.routing.drain();
    await services.sla.flush();
  });
  await services.routing.refresh();
  const jobs = startJobs(services, { config, db, log });
  shutdown.add("jobs", () => jobs.stop());
  const edges = await openEdges(config, log, shutdown, services, identity);
  return { services, identity, ...edges, databaseUrl: store.url, database: store.kind };
}

async function openEdges(
  config: Config,
  log: Log,
  shutdown: Pick<Shutdown, "add">,
  services: Services,
  identity: RelayIdentity,
) {
  const metrics = createMetrics();
  const relay = createRelayServer({ ...services, config, clock: systemClock, log }, metrics);
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
  });
  const port = await listen(api.server, config.port, config.host, "PORT");
  shutdown.add("API", () => api.stop());
  const relayPort = await listen(relay.server, config.relayPort, config.host, "RELAY_PORT");
  shutdown.add("relay", async () => {
    relay.startDraining();
    api.startDraining();
    await relay.stop(config.drainGraceMs);
  });
  const host = ["0.0.0.0", "::"].includes(config.host) ? "localhost" : config.host;
  return { apiUrl: `http://${host}:${port}`, relayUrl: `http://${host}:${relayPort}` };
}

/** A provider whose endpoint is one of our own doors would make us call ourselves. */
function ownHosts(config: Config): string[] {
  const names = new Set(["127.0.0.1", "localhost", "[::1]", hostname()]);
  const own = [...names].flatMap((name) => [`${name}:${config.port}`, `${name}:${config.relayPort}`]);
  return config.publicUrl === undefined ? own : [...own, new URL(config.publicUrl).host];
}
