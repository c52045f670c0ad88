import { Redis } from "ioredis";
import { RedisBus } from "../../src/events/redis-bus";
import type { FleetingTopic, FleetingTopics } from "../../src/events/topics";
import { createLog } from "../../src/platform/log";
import { openRedis, type RedisLink } from "../../src/platform/redis";
import { until, watchResources } from "../support/leftovers";
import { startRedis, startRedisCluster, type TestRedis } from "../support/redis";

jest.setTimeout(60_000);

const RECOVERY_MS = 20_000;

interface Process {
  readonly bus: RedisBus;
  readonly redis: RedisLink;
  readonly logged: { level: string; msg: string; connection?: string }[];
  /** All that was heard of a topic, in order. */
  heard<T extends FleetingTopic>(topic: T): FleetingTopics[T][];
  close(): Promise<void>;
}

let nothingLeft: () => Promise<void>;
beforeAll(() => {
  nothingLeft = watchResources();
});
afterAll(() => nothingLeft());

let processes: Process[] = [];
let instances = 0;

async function aProcess(url: string, system = "test"): Promise<Process> {
  const logged: Process["logged"] = [];
  const log = createLog({ level: "info", write: (line) => logged.push(JSON.parse(line)) });
  const redis = openRedis(url, log, system);
  instances += 1;
  const bus = new RedisBus({ redis, instance: `process-${instances}`, log });
  const process: Process = {
    bus,
    redis,
    logged,
    heard(topic) {
      const all: FleetingTopics[typeof topic][] = [];
      bus.on(topic, (payload) => void all.push(payload));
      return all;
    },
    async close() {
      await bus.close();
      await redis.close();
    },
  };
  processes.push(process);
  return process;
}

/** Each hears what the other says, on every channel. */
async function acquainted(...all: Process[]): Promise<void> {
  for (const speaker of all) {
    for (const listener of all.filter((other) => other !== speaker)) {
      const heard = new Set<string>();
      const off = listener.bus.on("balance.changed", ({ startupId }) => void heard.add(startupId));
      // Names enough to meet each of the sixteen channels.
      const names = Array.from({ length: 120 }, (_, index) => `hello ${index}`);
      await until(
        "all channels are open",
        async () => {
          for (const startupId of names) speaker.bus.publish("balance.changed", { startupId });
          await new Promise((resolve) => setTimeout(resolve, 60));
          return names.every((name) => heard.has(name));
        },
        RECOVERY_MS,
      );
      off();
    }
  }
}

async function aPair(url: string): Promise<[Process, Process]> {
  const pair: [Process, Process] = [await aProcess(url), await aProcess(url)];
  await acquainted(...pair);
  return pair;
}

describe.each([
  ["one server", startRedis],
  ["a Cluster of three", startRedisCluster],
])("on %s", (_, start) => {
  let server: TestRedis;
  beforeAll(async () => {
    server = await start();
  });
  afterEach(async () => {
    await Promise.all(processes.map((process) => process.close()));
    processes = [];
  });
  afterAll(async () => {
    await server.close();
  });

  test("an event is heard at once where it is published, soon everywhere else, and once each", async () => {
    const [here, there] = await aPair(server.url);
    const [own, other] = [here.heard("api-key.revoked"), there.heard("api-key.revoked")];
    here.bus.publish("api-key.revoked", { keyId: "a" });
    expect(own).toEqual([{ keyId: "a" }]);
    await until("heard elsewhere", () => other.length > 0);
    there.bus.publish("api-key.revoked", { keyId: "b" });
    await until("heard back", () => own.length > 1);
    expect(own).toEqual([{ keyId: "a" }, { keyId: "b" }]);
    expect(other).toEqual([{ keyId: "a" }, { keyId: "b" }]);
  });

  test("events of one topic arrive in the order in which they were published", async () => {
    const [here, there] = await aPair(server.url);
    const other = there.heard("outbox.published");
    const positions = Array.from({ length: 500 }, (_, index) => `${index + 1}`);
    for (const position of positions) {
      here.bus.publish("outbox.published", { position });
      if (Number(position) % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await until("all have come", () => other.length === positions.length);
    expect(other.map(({ position }) => position)).toEqual(positions);
  });

  test("of values that only matter when new, others hear the newest of each moment, own listeners all", async () => {
    const [here, there] = await aPair(server.url);
    const heard = [here.heard("balance.changed"), there.heard("balance.changed")];
    // What was said to get acquainted may still be on its way.
    const [own, other] = heard.map((all) => () => all.filter(({ startupId }) => startupId.startsWith("startup")));
    for (let i = 0; i < 1_000; i += 1) here.bus.publish("balance.changed", { startupId: `startup ${i % 5}` });
    await until("each startup was heard of", () => new Set(other!().map(({ startupId }) => startupId)).size === 5);
    expect(own!()).toHaveLength(1_000);
    expect(other!()).toHaveLength(5);
  });

  test("a failing listener hurts nobody, here or there", async () => {
    const [here, there] = await aPair(server.url);
    for (const { bus } of [here, there]) {
      bus.on("supply.changed", () => {
        throw new Error("a listener that fails");
      });
    }
    const other = there.heard("supply.changed");
    here.bus.publish("supply.changed", {});
    here.bus.publish("supply.changed", {});
    await until("heard twice", () => other.length === 2);
    expect(there.logged.filter(({ msg }) => msg === "a listener failed")).toHaveLength(2);
  });

  test("what is no message of ours, or has another payload than its topic, reaches no listener", async () => {
    const [here, there] = await aPair(server.url);
    const revoked = there.heard("api-key.revoked");
    const say = (text: string) => here.redis.commands.spublish("bus:{0}", text);
    const before = there.bus.lost.invalid;
    await say("{");
    await say('{"from":"x"}');
    await say('{"from":"x","seq":1,"events":[["api-key.revoked",{"keyId":7}]]}');
    await until("all three were counted", () => there.bus.lost.invalid === before + 3);
    await say('{"from":"x","seq":2,"events":[["of.a.newer.version",{}],["api-key.revoked",{"keyId":"good"}]]}');
    await until("the good one came", () => revoked.length > 0);
    expect(revoked).toEqual([{ keyId: "good" }]);
    expect(there.bus.lost.invalid).toBe(before + 3);
  });

  test("a hole in what another process says makes this one look again", async () => {
    const [here, there] = await aPair(server.url);
    const again = there.heard("bus.reconnected");
    const say = (seq: number) =>
      here.redis.commands.spublish("bus:{3}", JSON.stringify({ from: "y", seq, events: [] }));
    await say(7);
    await say(8);
    const missed = there.bus.lost.missed;
    await say(10);
    await until("the hole was noticed", () => there.bus.lost.missed === missed + 1);
    expect(again.length).toBeGreaterThan(0);
  });

  test("two systems that share a Redis do not hear each other", async () => {
    const [here, there] = await aPair(server.url);
    const stranger = await aProcess(server.url, "another");
    const strange = stranger.heard("supply.changed");
    await until("the stranger is there", () => stranger.redis.connected());
    const other = there.heard("supply.changed");
    here.bus.publish("supply.changed", {});
    await until("heard in the same system", () => other.length > 0);
    expect(strange).toEqual([]);
  });

  test("killed and started again, empty: each goes on alone, then both look again and hear each other", async () => {
    const [here, there] = await aPair(server.url);
    const again = [here.heard("bus.reconnected"), there.heard("bus.reconnected")];
    const own = here.heard("api-key.revoked");
    const before = again.map((heard) => heard.length);
    await server.kill();
    await until("the loss is noticed", () => !here.redis.connected() || here.redis.kind === "cluster");
    const startedMs = performance.now();
    here.bus.publish("api-key.revoked", { keyId: "while away" });
    expect(own).toEqual([{ keyId: "while away" }]);
    await until("it is given up", () => here.bus.lost.unsent > 0);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    await server.restart();
    await until("both look again", () => again.every((heard, index) => heard.length > before[index]!), RECOVERY_MS);
    await acquainted(here, there);
    for (const { logged } of [here, there]) {
      const told = logged
        .filter(({ level }) => level === "error" || level === "warn")
        .map(({ msg, connection }) => `${connection}: ${msg}`);
      expect(told.length).toBeGreaterThan(0);
      expect(told).toEqual([...new Set(told)]);
    }
  });

  test("FLUSHALL takes nothing from it", async () => {
    const [here, there] = await aPair(server.url);
    const other = there.heard("supply.changed");
    await server.flush();
    here.bus.publish("supply.changed", {});
    await until("heard all the same", () => other.length > 0);
  });
});

test("on a Cluster the channels lie on all nodes", async () => {
  const cluster = await startRedisCluster();
  try {
    await aPair(cluster.url);
    const shares = await Promise.all(
      cluster.servers.map(async (node) => ((await node.ask("pubsub", "shardchannels")) as string[]).length),
    );
    expect(shares.reduce((sum, share) => sum + share, 0)).toBe(16);
    expect(Math.min(...shares)).toBeGreaterThanOrEqual(3);
  } finally {
    await Promise.all(processes.map((process) => process.close()));
    processes = [];
    await cluster.close();
  }
});

test("one node of a Cluster lost: what lies on the others goes on, and its own channels come back with it", async () => {
  const cluster = await startRedisCluster();
  try {
    const pair = await aPair(cluster.url);
    await cluster.servers[1]!.kill();
    await cluster.servers[1]!.restart();
    await acquainted(...pair);
  } finally {
    await Promise.all(processes.map((process) => process.close()));
    processes = [];
    await cluster.close();
  }
});

test("a Redis that comes only later is used when it comes", async () => {
  const server = await startRedis();
  try {
    await server.kill();
    const late = await aProcess(server.url);
    const own = late.heard("supply.changed");
    late.bus.publish("supply.changed", {});
    expect(own).toHaveLength(1);
    await expect(late.redis.commands.get("x")).rejects.toThrow();
    await server.restart();
    await until("connected", () => late.redis.connected(), RECOVERY_MS);
    await acquainted(late, await aProcess(server.url));
  } finally {
    await Promise.all(processes.map((process) => process.close()));
    processes = [];
    await server.close();
  }
});

test("a Redis that refuses the password is told, and is nobody's end", async () => {
  const server = await startRedis();
  const admin = new Redis(server.url);
  try {
    await admin.config("SET", "requirepass", "the right one");
    const refused = await aProcess(server.url.replace("redis://", "redis://:the%20wrong%20one@"));
    await until("the refusal is logged", () => refused.logged.some(({ level }) => level === "error"));
    expect(JSON.stringify(refused.logged)).not.toContain("the wrong one");
    expect(refused.redis.connected()).toBe(false);
  } finally {
    await Promise.all(processes.map((process) => process.close()));
    processes = [];
    admin.disconnect();
    await server.close();
  }
});
