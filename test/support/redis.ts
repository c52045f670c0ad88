/** Real Redis for tests: one server, or a Cluster of three, in a temporary directory; gone with the test's process however that ends. */
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { Redis } from "ioredis";
import { until } from "./leftovers";

export interface RedisServer {
  readonly port: number;
  /** As a crash: nothing is said, nothing is kept. */
  kill(): Promise<void>;
  /** At the same place, empty. */
  restart(): Promise<void>;
  ask(...command: [string, ...string[]]): Promise<unknown>;
  close(): Promise<void>;
}

export interface TestRedis {
  readonly url: string;
  readonly servers: readonly RedisServer[];
  flush(): Promise<void>;
  kill(): Promise<void>;
  restart(): Promise<void>;
  close(): Promise<void>;
}

const SLOTS = 16_384;
const CLUSTER_PATIENCE_MS = 15_000;

export async function startRedis(): Promise<TestRedis> {
  const server = await startServer([]);
  return { ...together([server]), url: `redis://127.0.0.1:${server.port}` };
}

/** Three masters that share the slots, and no replica: what is killed is away until it is restarted. */
export async function startRedisCluster(): Promise<TestRedis> {
  const servers = await Promise.all(Array.from({ length: 3 }, () => startClusterNode()));
  await Promise.all(
    servers.map(async (server, index) => {
      const share = Math.ceil(SLOTS / servers.length);
      const last = Math.min((index + 1) * share, SLOTS) - 1;
      await server.ask("cluster", "set-config-epoch", `${index + 1}`);
      await server.ask("cluster", "addslotsrange", `${index * share}`, `${last}`);
    }),
  );
  for (const { port, busPort } of servers.slice(1)) {
    await servers[0]!.ask("cluster", "meet", "127.0.0.1", `${port}`, `${busPort}`);
  }
  await clusterOk(servers);
  const all = together(servers);
  return {
    ...all,
    url: `redis+cluster://${servers.map(({ port }) => `127.0.0.1:${port}`).join(",")}`,
    async restart() {
      await all.restart();
      await clusterOk(servers);
    },
  };
}

async function startClusterNode(): Promise<RedisServer & { busPort: number }> {
  const busPort = await freePort();
  const settings = ["--cluster-enabled", "yes", "--cluster-port", `${busPort}`, "--cluster-node-timeout", "1000"];
  return { ...(await startServer(settings)), busPort };
}

/** Each node knows the others and that all slots are served. */
async function clusterOk(servers: readonly RedisServer[]): Promise<void> {
  const whole = async (server: RedisServer) => {
    const info = String(await server.ask("cluster", "info"));
    return info.includes("cluster_state:ok") && info.includes(`cluster_known_nodes:${servers.length}`);
  };
  await until(
    "the cluster is whole",
    async () => (await Promise.all(servers.map(whole))).every(Boolean),
    CLUSTER_PATIENCE_MS,
  );
}

function together(servers: readonly RedisServer[]) {
  const each = (act: (server: RedisServer) => Promise<unknown>) => Promise.all(servers.map(act)).then(() => undefined);
  return {
    servers,
    flush: () => each((server) => server.ask("flushall")),
    kill: () => each((server) => server.kill()),
    restart: () => each((server) => server.restart()),
    close: () => each((server) => server.close()),
  };
}

/**
 * The server's parent is a shell that waits for the end of its input, which comes with our end, even by kill -9: then it
 * ends the server and removes the directory. In a session of its own, so that Ctrl-C does not end it before.
 */
const guardian = `"$@" & server=$!; echo "pid $server"; read -r _; kill -9 $server 2>/dev/null; wait; rm -rf "$REDIS_HOME"`;

async function startServer(settings: readonly string[]): Promise<RedisServer> {
  const program = redisProgram();
  const home = mkdtempSync(join(tmpdir(), "exergy-redis-"));
  const port = await freePort();
  const fixed = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", home, "--save", "", "--appendonly", "no"];
  const guards: Guarded[] = [];
  const start = async () => {
    mkdirSync(home, { recursive: true });
    guards.push(await guarded([program, ...fixed, ...settings], home));
    await until("Redis answers", async () => (await ask(port, ["ping"]).catch(() => null)) === "PONG");
  };
  await start();
  return {
    port,
    restart: start,
    ask: (...command) => ask(port, command),
    async kill() {
      const { pid } = guards.at(-1)!;
      process.kill(pid, "SIGKILL");
      await until("Redis is gone", () =>
        ask(port, ["ping"]).then(
          () => false,
          () => true,
        ),
      );
    },
    async close() {
      await Promise.all(guards.map((guard) => guard.end()));
      rmSync(home, { recursive: true, force: true });
    },
  };
}

interface Guarded {
  readonly pid: number;
  end(): Promise<void>;
}

function guarded(command: readonly string[], home: string): Promise<Guarded> {
  const shell = spawn("/bin/sh", ["-c", guardian, "redis", ...command], {
    detached: true,
    env: { ...process.env, REDIS_HOME: home },
    stdio: ["pipe", "pipe", "ignore"],
  });
  const ended = new Promise<void>((resolve) => shell.once("close", () => resolve()));
  return new Promise((resolve, reject) => {
    shell.once("error", reject);
    let said = "";
    shell.stdout.on("data", (chunk) => {
      said += String(chunk);
      const pid = /^pid (\d+)/m.exec(said)?.[1];
      if (pid === undefined) return;
      // What else Redis says is of no interest, and must not fill the pipe.
      shell.stdout.removeAllListeners("data").resume();
      resolve({
        pid: Number(pid),
        async end() {
          shell.stdin.end();
          await ended;
        },
      });
    });
  });
}

async function ask(port: number, [name, ...rest]: readonly string[]): Promise<unknown> {
  const client = new Redis({ host: "127.0.0.1", port, lazyConnect: true, retryStrategy: null });
  client.on("error", () => undefined);
  try {
    await client.connect();
    return await client.call(name!, ...rest);
  } finally {
    client.disconnect();
  }
}

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

let program: string | undefined;

/** On the PATH, else Debian's when we may install it. */
function redisProgram(): string {
  program ??= onPath() ?? installed();
  return program;
}

function onPath(): string | undefined {
  const places = (process.env.PATH ?? "").split(delimiter);
  for (const name of ["redis-server", "valkey-server"]) {
    for (const place of places) {
      const path = join(place, name);
      try {
        execFileSync(path, ["--version"], { stdio: "ignore" });
        return path;
      } catch {
        // Not here.
      }
    }
  }
  return undefined;
}

function installed(): string {
  if (process.getuid?.() === 0) {
    try {
      const quiet = { stdio: "ignore", env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } } as const;
      execFileSync("apt-get", ["update"], quiet);
      execFileSync("apt-get", ["install", "-y", "--no-install-recommends", "redis-server"], quiet);
      const found = onPath();
      if (found !== undefined) return found;
    } catch {
      // Said below.
    }
  }
  throw new Error(
    "These tests need Redis: install redis-server or valkey-server (Debian: apt-get install redis-server).",
  );
}
