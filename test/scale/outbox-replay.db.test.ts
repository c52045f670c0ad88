import { MemoryBus } from "../../src/events/event-bus";
import { Outbox } from "../../src/events/outbox";
import { OutboxReplay } from "../../src/events/outbox-replay";
import { systemClock } from "../../src/platform/clock";
import { type Database, openDatabase } from "../../src/platform/database";
import { newId } from "../../src/platform/ids";
import { createLog } from "../../src/platform/log";
import { openRedis, type RedisLink } from "../../src/platform/redis";
import { transaction } from "../../src/platform/transaction";
import { until } from "../support/leftovers";
import { startRedis, type TestRedis } from "../support/redis";
import { createTestDatabase, type TestDatabase } from "../support/template-database";

jest.setTimeout(60_000);

let database: TestDatabase;
let db: Database;
let server: TestRedis;
let redis: RedisLink;
let replay: OutboxReplay;
let outbox: Outbox;
let epoch: string;
const logged: string[] = [];
const organisationId = newId();

beforeAll(async () => {
  [database, server] = await Promise.all([createTestDatabase(), startRedis()]);
  db = await openDatabase({ url: database.url });
  const log = createLog({ level: "info", write: (line) => void logged.push(line) });
  redis = openRedis(server.url, log, "replay");
  await until("Redis answers", () => redis.connected());
  replay = new OutboxReplay(redis, log);
  outbox = new Outbox(db, new MemoryBus(), systemClock, replay);
  epoch = (await outbox.extent()).epoch;
});
afterAll(async () => {
  await redis.close();
  await db.close();
  await Promise.all([database.drop(), server.close()]);
});

/** So many new events, published together by `by`; the position before the first. */
async function published(count: number, by: Outbox = outbox): Promise<bigint> {
  const head = await outbox.head();
  await transaction(db, async (tx) => {
    for (let i = 0; i < count; i += 1) {
      await outbox.append(tx, "sla.breach.opened", organisationId, { breachId: newId() });
    }
  });
  await by.publish();
  return head;
}

const fromPostgres = (position: bigint) => outbox.after(position, null, null);

test("what was published is replayed as PostgreSQL has it, from any position in it", async () => {
  const start = await published(5);
  await published(1);
  await published(3);
  const all = await fromPostgres(start);
  expect(all).toHaveLength(9);
  expect(await replay.after(start, epoch)).toEqual(all);
  for (const [index, { position }] of all.slice(0, -1).entries()) {
    expect(await replay.after(position, epoch)).toEqual(all.slice(index + 1));
  }
});

test("that nothing follows it never says: only PostgreSQL knows", async () => {
  await published(1);
  expect(await replay.after(await outbox.head(), epoch)).toBeNull();
  expect(await replay.after((await outbox.head()) + 10n, epoch)).toBeNull();
});

test("events that were published without being kept are a hole, before it and not behind it", async () => {
  const before = await published(1);
  const hole = await published(2, new Outbox(db, new MemoryBus(), systemClock));
  const behind = await published(2);
  expect((await replay.after(before, epoch))?.map(({ position }) => position)).toEqual([hole]);
  expect(await replay.after(hole, epoch)).toBeNull();
  expect(await replay.after(hole + 1n, epoch)).toBeNull();
  expect(await replay.after(behind, epoch)).toEqual(await fromPostgres(behind));
});

test("flushed, it cannot tell what was; what comes afterwards it can", async () => {
  const before = await published(3);
  await server.flush();
  expect(await replay.after(before, epoch)).toBeNull();
  const after = await published(2);
  expect(await replay.after(before, epoch)).toBeNull();
  expect(await replay.after(after, epoch)).toEqual(await fromPostgres(after));
});

test("what was trimmed away is a hole for whoever was before it", async () => {
  const before = await published(4);
  await redis.commands.xtrim(`outbox:${epoch}`, "MAXLEN", 2);
  expect(await replay.after(before, epoch)).toBeNull();
  expect(await replay.after(before + 2n, epoch)).toEqual(await fromPostgres(before + 2n));
});

test("events of another history, and entries that nobody of us wrote, are none", async () => {
  const before = await published(1);
  expect(await replay.after(before, newId())).toBeNull();
  const { position } = (await fromPostgres(before))[0]!;
  await redis.commands.xadd(`outbox:${epoch}`, `${position + 1n}-0`, "prev", `${position}`, "topic", "of.another");
  expect(await replay.after(position, epoch)).toBeNull();
});

test("a publisher that comes late with earlier positions makes it start anew instead of telling half", async () => {
  await redis.commands.del(`outbox:${epoch}`);
  const before = await published(2);
  const events = await fromPostgres(before);
  const late = events.map((event) => ({ ...event, position: event.position - 1n }));
  await replay.append(epoch, late);
  expect(await replay.after(before, epoch)).toBeNull();
  const after = await published(1);
  expect(await replay.after(after, epoch)).toEqual(await fromPostgres(after));
});

test("publishers that compete leave no false continuity", async () => {
  const start = await outbox.head();
  const others = [0, 1, 2].map(() => new Outbox(db, new MemoryBus(), systemClock, replay));
  for (let round = 0; round < 15; round += 1) {
    await Promise.all(others.map((other) => published(2, other)));
  }
  while ((await outbox.publish()) > 0);
  const all = await fromPostgres(start);
  expect(all.length).toBeGreaterThanOrEqual(90);
  for (const [index, { position }] of all.entries()) {
    const replayed = await replay.after(position, epoch);
    if (replayed !== null) expect(replayed).toEqual(all.slice(index + 1, index + 1 + replayed.length));
  }
});

test("Redis away: publishing goes on, nothing is replayed, and it is said once; back again, it keeps again", async () => {
  await server.kill();
  await until("the loss is noticed", () => !redis.connected());
  logged.length = 0;
  const before = await published(1);
  await published(1);
  expect(await fromPostgres(before)).toHaveLength(2);
  expect(await replay.after(before, epoch)).toBeNull();
  expect(logged.filter((line) => line.includes("events are not kept in Redis"))).toHaveLength(1);
  await server.restart();
  await until("Redis is back", () => redis.connected(), 15_000);
  expect(await replay.after(before, epoch)).toBeNull();
  const after = await published(2);
  expect(await replay.after(after, epoch)).toEqual(await fromPostgres(after));
});
