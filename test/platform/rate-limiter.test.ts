/** Points per key and window, in one process and in several that share a Redis, whatever becomes of the Redis. */
import { Redis } from "ioredis";
import { createRateLimiter } from "../../src/platform/rate-limiter";
import { startRedis, type TestRedis } from "../support/redis";

const options = { name: "test", points: 100, perMs: 60_000 };

describe("in one process", () => {
  it("takes points until there are none, each key's its own, and says what is left and until when", async () => {
    const limiter = createRateLimiter(options);
    expect(await limiter.take("a", 60)).toEqual({ allowed: true, limit: 100, remaining: 40, resetMs: 60_000 });
    expect(await limiter.take("a", 40)).toMatchObject({ allowed: true, remaining: 0 });
    expect(await limiter.take("a", 1)).toMatchObject({ allowed: false, remaining: 0 });
    expect(await limiter.take("a", 0)).toMatchObject({ allowed: true, remaining: 0 });
    expect(await limiter.take("b", 100)).toMatchObject({ allowed: true, remaining: 0 });
  });

  it("does not take what it refuses: a smaller wish still fits", async () => {
    const limiter = createRateLimiter(options);
    await limiter.take("a", 70);
    for (let time = 0; time < 3; time += 1)
      expect(await limiter.take("a", 31)).toMatchObject({ allowed: false, remaining: 30 });
    expect(await limiter.take("a", 30)).toMatchObject({ allowed: true, remaining: 0 });
  });

  it("gives back, and takes afterwards what turned out dearer", async () => {
    const limiter = createRateLimiter(options);
    await limiter.take("a", 50);
    limiter.give("a", 45);
    expect(await limiter.take("a", 0)).toMatchObject({ remaining: 95 });
    limiter.give("a", -20);
    expect(await limiter.take("a", 0)).toMatchObject({ remaining: 75 });
  });

  it("starts anew when the window is over", async () => {
    jest.useFakeTimers();
    try {
      const limiter = createRateLimiter(options);
      await limiter.take("a", 100);
      jest.advanceTimersByTime(59_000);
      expect(await limiter.take("a", 1)).toMatchObject({ allowed: false, resetMs: 1_000 });
      jest.advanceTimersByTime(1_000);
      expect(await limiter.take("a", 1)).toMatchObject({ allowed: true, remaining: 99 });
    } finally {
      jest.useRealTimers();
    }
  });
});

describe("with Redis", () => {
  let server: TestRedis;
  const clients: Redis[] = [];
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(async () => {
    for (const client of clients) client.disconnect();
    await server.close();
  });

  async function connect(): Promise<Redis> {
    const client = new Redis(server.url, { enableOfflineQueue: false, maxRetriesPerRequest: 0 });
    client.on("error", () => undefined);
    clients.push(client);
    await new Promise((ready) => client.once("ready", ready));
    return client;
  }

  it("is one allowance for all processes", async () => {
    const [here, there] = [await connect(), await connect()].map((redis) => createRateLimiter({ ...options, redis }));
    expect(await here!.take("shared", 60)).toMatchObject({ allowed: true, remaining: 40 });
    expect(await there!.take("shared", 60)).toMatchObject({ allowed: false, remaining: 40 });
    expect(await there!.take("shared", 40)).toMatchObject({ allowed: true, remaining: 0 });
  });

  it("goes on alone while Redis is away", async () => {
    const redis = await connect();
    const limiter = createRateLimiter({ ...options, name: "away", redis });
    await limiter.take("a", 90);
    const closed = new Promise((resolve) => redis.once("close", resolve));
    await server.kill();
    await closed;
    expect(await limiter.take("a", 90)).toMatchObject({ allowed: true, remaining: 10 });
    expect(await limiter.take("a", 90)).toMatchObject({ allowed: false, remaining: 10 });
  });
});
