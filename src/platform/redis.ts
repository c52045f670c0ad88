/** Opens Redis, one server or a Cluster: a connection for commands, another for sharded subscriptions. Its loss is nobody's failure. */
import { Cluster, Redis } from "ioredis";
import type { Log } from "./log";
import { parseRedisUrl, type RedisAddress } from "./redis-url";

export interface RedisLink {
  /** Fails at once while Redis is away: callers go on alone. Keys are prefixed with the system's name. */
  readonly commands: Redis | Cluster;
  /** A connection of its own for SSUBSCRIBE; made at the first call. */
  subscriber(): Redis | Cluster;
  /** Commands have a chance. */
  connected(): boolean;
  /** Before every key and channel, so that two systems can share a Redis. */
  readonly prefix: string;
  readonly kind: "single" | "cluster";
  close(): Promise<void>;
}

/** Somebody waits for the answer, and can do without it. */
const COMMAND_TIMEOUT_MS = 1_000;
const CONNECT_TIMEOUT_MS = 2_000;
const RECONNECT_MS_MAX = 5_000;
/** MOVED, CLUSTERDOWN and lost nodes together: at 50 ms each, what a command may wait for a Cluster in trouble. */
const REDIRECTIONS_MAX = 4;
const CLUSTER_RETRY_MS = 50;
/** How soon a new master is found when no command of ours stumbles over the old one. */
const SLOTS_REFRESH_MS = 2_000;

/** A connection that holds so long is back. */
const SETTLED_AFTER_MS = 1_000;

/** Exponential with full jitter on its upper half: a restart must not be met by all processes in one moment. */
export function reconnectDelayMs(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(50 * 2 ** Math.min(attempt, 10), RECONNECT_MS_MAX);
  return Math.round(ceiling / 2 + (random() * ceiling) / 2);
}

/** Does not wait for the connection: a Redis that is away now may come later. `system` tells apart who shares a Redis. */
export function openRedis(url: string, log: Log, system: string): RedisLink {
  const address = parseRedisUrl(url);
  const prefix = `exergy:${system}:`;
  let closing = false;
  const away = new Set<string>();
  const report = (client: Redis | Cluster, connection: string) =>
    reportOutages(client, { log, connection, away, isClosing: () => closing });
  const commands = connect(address, "commands", prefix);
  report(commands, "commands");
  let subscriber: Redis | Cluster | undefined;
  return {
    commands,
    subscriber() {
      if (subscriber === undefined) {
        subscriber = connect(address, "subscriber");
        report(subscriber, "subscriptions");
      }
      return subscriber;
    },
    connected: () => hasAChance(commands),
    prefix,
    kind: address.isCluster ? "cluster" : "single",
    async close() {
      closing = true;
      commands.disconnect();
      subscriber?.disconnect();
    },
  };
}

type Purpose = "commands" | "subscriber";

function connect(address: RedisAddress, purpose: Purpose, keyPrefix?: string): Redis | Cluster {
  const connection = {
    username: address.username,
    password: address.password,
    connectionName: `exergy-${purpose}`,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // A command whose connection broke is not sent again: by then its caller has gone on.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // Whoever subscribes does it anew on `ready`, and knows then that something may have been missed.
    autoResubscribe: false,
    commandTimeout: COMMAND_TIMEOUT_MS,
    ...(address.tls ? { tls: {} } : {}),
  };
  const prefixed = keyPrefix === undefined ? {} : { keyPrefix };
  if (!address.isCluster) {
    const { host, port } = address.nodes[0]!;
    return new Redis({
      ...connection,
      ...prefixed,
      host,
      port,
      db: address.database,
      enableOfflineQueue: false,
      retryStrategy: (attempt) => reconnectDelayMs(attempt),
    });
  }
  return new Cluster([...address.nodes], {
    ...prefixed,
    redisOptions: connection,
    enableOfflineQueue: false,
    shardedSubscribers: purpose === "subscriber",
    slotsRefreshInterval: SLOTS_REFRESH_MS,
    maxRedirections: REDIRECTIONS_MAX,
    retryDelayOnClusterDown: CLUSTER_RETRY_MS,
    retryDelayOnFailover: CLUSTER_RETRY_MS,
    retryDelayOnTryAgain: CLUSTER_RETRY_MS,
    clusterRetryStrategy: (attempt) => reconnectDelayMs(attempt),
    // A node that comes back at its old place causes no MOVED that would make us look for it.
    clusterNodeRetryStrategy: (attempt) => reconnectDelayMs(attempt),
  });
}

/** A Cluster whose nodes are all away still calls itself ready. */
function hasAChance(client: Redis | Cluster): boolean {
  if (client.status !== "ready") return false;
  if (!client.isCluster) return true;
  return (client as Cluster).nodes().some(({ status }) => status === "ready" || status === "wait");
}

interface Reporting {
  readonly log: Log;
  readonly connection: string;
  /** By name, as a Cluster makes a new connection to a lost node for every try. */
  readonly away: Set<string>;
  readonly isClosing: () => boolean;
}

/** One line when it goes, one when it is back, however often the client tries in between; of a Cluster for each node. */
function reportOutages(client: Redis | Cluster, reporting: Reporting): void {
  const { log, connection, away, isClosing } = reporting;
  client.on("error", (error: Error) => {
    const reason = reasonOf(error);
    if (away.has(connection)) log.debug({ reason, connection }, "Redis is still away");
    else log.error({ reason, connection }, "Redis is away: this process goes on alone and tries again");
    away.add(connection);
  });
  client.on("close", () => {
    if (!away.has(connection) && !isClosing()) log.warn({ connection }, "the connection to Redis closed");
    away.add(connection);
  });
  client.on("ready", () => {
    // While a Cluster finds itself again its nodes come and go.
    const settled = () => {
      if (client.status === "ready" && away.delete(connection)) log.info({ connection }, "Redis is back");
    };
    if (away.has(connection)) setTimeout(settled, SETTLED_AFTER_MS).unref();
  });
  if (!client.isCluster) return;
  client.on("+node", (node: Redis) => {
    const { host, port } = node.options;
    reportOutages(node, { ...reporting, connection: `${connection} at ${host}:${port}` });
  });
}

/** Not the error itself: it carries its command, which may be the one with the password. */
export function reasonOf(error: Error & { lastNodeError?: Error }): string {
  return [error.message, error.lastNodeError?.message].filter(Boolean).join(": ");
}
