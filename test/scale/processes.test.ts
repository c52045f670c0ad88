import { Processes } from "../../src/events/presence";
import { createLog } from "../../src/platform/log";
import { createRateLimiter } from "../../src/platform/rate-limiter";
import { openRedis, type RedisLink } from "../../src/platform/redis";
import { until } from "../support/leftovers";
import { startRedis, startRedisCluster, type TestRedis } from "../support/redis";

jest.setTimeout(60_000);

const silent = createLog({ level: "silent" });

describe.each([
  ["one server", startRedis],
  ["a Cluster of three", startRedisCluster],
])("on %s", (_, start) => {
  let server: TestRedis;
  let links: RedisLink[];

  beforeAll(async () => {
    server = await start();
    links = [openRedis(server.url, silent, "test"), openRedis(server.url, silent, "test")];
    await until("both are connected", () => links.every((link) => link.connected()));
  });
  afterAll(async () => {
    await Promise.all(links.map((link) => link.close()));
    await server.close();
  });
  afterEach(() => server.flush());

  const process = (instance: string, redis: RedisLink | undefined, startedAt = new Date("2026-01-01T00:00:00Z")) =>
    new Processes({ instance, roles: ["api"], startedAt, version: "1.2.3" }, redis);

  test("each process sees all that announced themselves, with what they serve", async () => {
    const [here, there] = [process("a", links[0]), process("b", links[1], new Date("2025-01-01T00:00:00Z"))];
    there.countWith(() => ({ sockets: 7, subscriptions: 9 }));
    expect(await here.list()).toHaveLength(1);
    await Promise.all([here.announce(), there.announce()]);
    const expected = [
      {
        instance: "b",
        roles: ["api"],
        startedAt: new Date("2025-01-01T00:00:00Z"),
        version: "1.2.3",
        sockets: 7,
        subscriptions: 9,
      },
      {
        instance: "a",
        roles: ["api"],
        startedAt: new Date("2026-01-01T00:00:00Z"),
        version: "1.2.3",
        sockets: 0,
        subscriptions: 0,
      },
    ];
    expect(await here.list()).toEqual(expected);
    expect(await there.list()).toEqual(expected);
    expect(here.known).toBe(2);
  });

  test("who leaves is gone at once, who falls silent when its time is over", async () => {
    const [here, left, silenced] = [process("a", links[0]), process("b", links[1]), process("c", links[1])];
    for (const one of [here, left, silenced]) await one.announce();
    expect(await here.list()).toHaveLength(3);
    await left.leave();
    expect((await here.list()).map(({ instance }) => instance)).toEqual(["a", "c"]);
    const ttl = await links[0]!.commands.pttl("{processes}:c");
    expect(ttl).toBeGreaterThan(10_000);
    expect(ttl).toBeLessThanOrEqual(15_000);
    await links[0]!.commands.pexpire("{processes}:c", 30);
    await until("c is gone", async () => (await here.list()).length === 1);
    expect(await links[0]!.commands.smembers("{processes}")).toEqual(["a"]);
  });

  test("an announcement that makes no sense is none", async () => {
    const here = process("a", links[0]);
    await links[1]!.commands.set("{processes}:x", "{");
    await links[1]!.commands.sadd("{processes}", "x");
    expect(await here.list()).toHaveLength(1);
  });

  test("two processes take from one allowance, and give back to it", async () => {
    const [here, there] = links.map(({ commands: redis }) =>
      createRateLimiter({ name: "scale", points: 10, perMs: 60_000, redis }),
    );
    expect(await here!.take("somebody", 6)).toMatchObject({ allowed: true, remaining: 4 });
    expect(await there!.take("somebody", 6)).toMatchObject({ allowed: false, remaining: 4 });
    expect(await there!.take("somebody", 4)).toMatchObject({ allowed: true, remaining: 0 });
    expect(await here!.take("somebody", 1)).toMatchObject({ allowed: false });
    there!.give("somebody", 3);
    await until("given back", async () => (await here!.take("somebody", 2)).allowed);
    expect(await here!.take("another", 10)).toMatchObject({ allowed: true });
  });

  test("while Redis is away each process counts for itself, and knows itself", async () => {
    const limiter = createRateLimiter({ name: "alone", points: 10, perMs: 60_000, redis: links[0]!.commands });
    const here = process("a", links[0]);
    await server.kill();
    const startedMs = performance.now();
    expect(await limiter.take("somebody", 6)).toMatchObject({ allowed: true });
    expect(await limiter.take("somebody", 6)).toMatchObject({ allowed: false });
    expect((await here.list()).map(({ instance }) => instance)).toEqual(["a"]);
    expect(performance.now() - startedMs).toBeLessThan(3_000);
    await server.restart();
    await until(
      "shared again",
      async () => {
        await here.announce().catch(() => undefined);
        return (await process("b", links[1]).list()).length === 2;
      },
      20_000,
    );
  });
});

test("without Redis a process is all there is", async () => {
  const alone = new Processes({ instance: "a", roles: ["worker"], startedAt: new Date(), version: "1" }, undefined);
  await alone.announce();
  expect(await alone.list()).toEqual([alone.self]);
  await alone.leave();
});
