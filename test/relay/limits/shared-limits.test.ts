/** Limits that several relay processes have in common in a real Redis: never more than the limit, little kept from each other. */
import { newId } from "../../../src/platform/ids";
import { createLog } from "../../../src/platform/log";
import { openRedis, type RedisLink } from "../../../src/platform/redis";
import { type AllowanceStore, RedisAllowances } from "../../../src/relay/limits/allowance-store";
import { CommonAllowances } from "../../../src/relay/limits/common-allowances";
import { Group } from "../../../src/relay/limits/group";
import { Lender } from "../../../src/relay/limits/lender";
import type { Subject } from "../../../src/relay/limits/subject";
import { until } from "../../support/leftovers";
import { startRedis, startRedisCluster, type TestRedis } from "../../support/redis";

jest.setTimeout(60_000);

const plenty = { requestsPerMinute: 1_000_000, tokensPerMinute: 1_000_000_000, concurrentRequests: 10_000 };
const quiet = createLog({ level: "silent", write: () => undefined });
let redis: TestRedis;
const links: RedisLink[] = [];
let flights: Record<string, number> = {};

beforeAll(async () => {
  redis = await startRedis();
});
beforeEach(() => {
  flights = { granted: 0, refused: 0, failed: 0 };
});
afterAll(async () => {
  await closeLinks();
  await redis.close();
});

async function linkTo(url: string): Promise<RedisLink> {
  const link = openRedis(url, quiet, "shared-limits");
  links.push(link);
  await until("Redis is there", () => link.connected(), 10_000);
  return link;
}

/** Before the servers: a client whose servers go first looks for them. */
async function closeLinks(): Promise<void> {
  for (const link of links.splice(0)) await link.close();
}

interface Process {
  readonly group: Group;
  readonly key: Subject;
  /** True: it may run. */
  asks(tokens?: number): Promise<boolean>;
  ends(tokensBack?: number): void;
}

/** What the process that started the others keeps for them. */
function parent(): AllowanceStore {
  const allowances = new CommonAllowances(Date.now);
  return {
    connected: true,
    // By a copy, as over a channel, and not at once.
    borrow: async (keys, values) => allowances.borrow(structuredClone(keys), structuredClone(values)),
  };
}

/** Processes of one organisation with one key, each as its own relay would have it. */
async function processes(
  count: number,
  key: Partial<typeof plenty>,
  store: () => Promise<AllowanceStore> = async () => new RedisAllowances(await linkTo(redis.url)),
): Promise<Process[]> {
  const organisationId = newId();
  const keyId = newId();
  return Promise.all(
    Array.from({ length: count }, async () => {
      const lender = new Lender(await store(), newId());
      const onFlight = (result: string) => {
        flights[result] = (flights[result] ?? 0) + 1;
      };
      const group = new Group({ organisationId, limits: plenty, lender, nowMs: Date.now, onFlight });
      const subject = group.addKey(keyId, { ...plenty, ...key });
      return {
        group,
        key: subject,
        async asks(tokens = 10) {
          if (group.take(subject, tokens, Date.now()) === null) return true;
          return group.mayBorrow && (await group.takeBorrowed(subject, tokens)) === null;
        },
        ends: (tokensBack = 0) => group.give(subject, { requests: 0, tokens: tokensBack }, Date.now()),
      };
    }),
  );
}

const granted = async (asked: readonly Promise<boolean>[]) => (await Promise.all(asked)).filter(Boolean).length;
/** As the timer does each second. */
const beat = async (all: readonly Process[]) => {
  for (const { group } of all) await group.beat();
};

describe.each(["one Redis", "a Cluster", "the process that started them"])("over %s", (name) => {
  let cluster: TestRedis | null = null;
  let common: AllowanceStore;
  const store = async () => {
    if (name === "one Redis") return new RedisAllowances(await linkTo(redis.url));
    return cluster === null ? common : new RedisAllowances(await linkTo(cluster.url));
  };
  beforeAll(async () => {
    if (name === "a Cluster") cluster = await startRedisCluster();
    common = parent();
  });
  afterAll(async () => {
    await closeLinks();
    await cluster?.close();
  });

  test("exactly a small limit gets through, however many ask at once in however many processes", async () => {
    const all = await processes(3, { requestsPerMinute: 7 }, store);
    expect(await granted(Array.from({ length: 60 }, (_, i) => all[i % 3]!.asks()))).toBe(7);
  });

  test("exactly so many run at once, wherever, and an end in one process makes room in another", async () => {
    const all = await processes(2, { concurrentRequests: 4 }, store);
    const [one, other] = all as [Process, Process];
    expect(await granted(Array.from({ length: 20 }, (_, i) => all[i % 2]!.asks()))).toBe(4);
    const running = one.key.slots.inFlight > 0 ? one : other;
    running.ends();
    await until("the slot is free for the other", () => (running === one ? other : one).asks(), 5_000);
    expect(one.key.slots.inFlight + other.key.slots.inFlight).toBe(4);
  });

  test("tokens that were set aside in one process are refused in the other, and are there when they come back", async () => {
    const [one, other] = (await processes(2, { tokensPerMinute: 1_000 }, store)) as [Process, Process];
    expect(await one.asks(900)).toBe(true);
    expect(await other.asks(200)).toBe(false);
    one.ends(890);
    await until("they are back", () => other.asks(200), 5_000);
  });

  test("what was used beyond what was set aside is missing everywhere", async () => {
    const [one, other] = (await processes(2, { tokensPerMinute: 1_000 }, store)) as [Process, Process];
    expect(await one.asks(100)).toBe(true);
    one.ends(-900);
    await beat([one]);
    expect(await other.asks(200)).toBe(false);
  });

  test("what a process borrowed and does not use goes back within two beats", async () => {
    const [one, other] = (await processes(2, { requestsPerMinute: 640 }, store)) as [Process, Process];
    expect(await one.asks()).toBe(true);
    one.ends();
    await beat([one]);
    await beat([one]);
    expect([one.key.slots.held, one.key.requests.spendable(Date.now())]).toEqual([0, 0]);
    expect(await other.asks()).toBe(true);
    expect(other.key.requests.remaining(Date.now())).toBeGreaterThanOrEqual(638);
  });
});

test("a large limit costs Redis a few round trips for a thousand requests, and hardly any of them waits", async () => {
  const [one] = (await processes(1, {})) as [Process];
  await one.asks();
  let waited = 0;
  for (let i = 0; i < 1_000; i++) {
    if (one.group.take(one.key, 10, Date.now()) !== null) waited += 1;
    else one.ends();
    // As requests do, each lets others have their turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(waited).toBe(0);
  expect(flights.granted).toBeLessThan(10);
});

test("a process that ended without a word frees its slots by saying nothing", async () => {
  const [one, other] = (await processes(2, { concurrentRequests: 1 })) as [Process, Process];
  expect(await one.asks()).toBe(true);
  expect(await other.asks()).toBe(false);
  const [key] = (await redis.servers[0]!.ask("keys", `*:key:${one.key.id}`)) as string[];
  const fields = (await redis.servers[0]!.ask("hgetall", key!)) as Record<string, string>;
  const [process] = Object.entries(fields).find(([, value]) => /^\d+:\d+$/.test(value))!;
  // As it will stand there ten seconds from now.
  await redis.servers[0]!.ask("hset", key!, process, "1:1");
  expect(await other.asks()).toBe(true);
});

test("when Redis is lost each process goes on from what was left, up to the whole limit for itself, and shares again when Redis is back", async () => {
  const all = await processes(2, { requestsPerMinute: 10 });
  const [one, other] = all as [Process, Process];
  expect(await granted([one.asks(), one.asks(), other.asks(), other.asks(), one.asks(), other.asks()])).toBe(6);
  await redis.kill();
  // Four were left when it was last seen; two processes may take them twice, and no more.
  const alone = await granted(Array.from({ length: 40 }, (_, i) => all[i % 2]!.asks()));
  expect(alone).toBeGreaterThanOrEqual(4);
  expect(alone).toBeLessThanOrEqual(10);
  expect([one.group.mayBorrow, other.group.mayBorrow]).toEqual([false, false]);
  await redis.restart();
  await until(
    "both share again",
    async () => {
      await beat(all);
      return one.group.mayBorrow && other.group.mayBorrow;
    },
    20_000,
  );
  // The new Redis knows nothing: once more the limit, less what is running.
  for (let ended = one.key.slots.inFlight; ended > 0; ended--) one.ends();
  expect(await granted(Array.from({ length: 40 }, (_, i) => all[i % 2]!.asks()))).toBeLessThanOrEqual(10);
});
