/** The outbox and its reader on PostgreSQL: one reading for all followers, trimming that is remembered, a database that goes away. */
import { Outbox } from "../../src/events/outbox";
import { OutboxTail } from "../../src/events/outbox-tail";
import { newId } from "../../src/platform/ids";
import { createLog } from "../../src/platform/log";
import { transaction } from "../../src/platform/transaction";
import { openWorld, type World } from "../accounts/a-world";
import { until } from "../support/leftovers";

let world: World;
let outbox: Outbox;
const organisation = newId();
const log = createLog({ level: "silent", write: () => undefined });
const filter = { topics: ["sla.breach.opened"] as const, organisationId: null };

beforeAll(async () => {
  world = await openWorld();
  outbox = new Outbox(world.db, world.bus, world.clock);
});
afterAll(() => world.close());

async function append(count: number, of = organisation): Promise<void> {
  await transaction(world.db, async (tx) => {
    for (let n = 0; n < count; n++) await outbox.append(tx, "sla.breach.opened", of, { breachId: newId() });
  });
}

const idle = { moved: () => undefined, restarted: () => undefined };

test("what is published is read once, however many follow", async () => {
  const tail = new OutboxTail({ outbox, bus: world.bus, log });
  const moves = [0, 0, 0];
  const leave = moves.map((_, n) => tail.follow({ ...idle, moved: () => void moves[n]!++ }));
  await tail.ready();
  const from = tail.position;
  const read = jest.spyOn(outbox, "after");
  read.mockClear();
  await append(5);
  await append(2, newId());
  await outbox.publish();
  await until("all were told", () => moves.every((count) => count > 0));
  expect(read.mock.calls.filter(([position]) => position === from)).toHaveLength(1);
  read.mockClear();
  expect((await tail.after(from, filter)).events).toHaveLength(7);
  expect((await tail.after(from, { ...filter, organisationId: organisation })).events).toHaveLength(5);
  expect((await tail.after(from, { topics: ["sla.breach.closed"], organisationId: null })).upTo).toBe(tail.position);
  expect(read).not.toHaveBeenCalled();
  read.mockRestore();
  for (const end of leave) end();
});

test("what lies further back than memory is read from PostgreSQL, up to where the tail is", async () => {
  const tail = new OutboxTail({ outbox, bus: world.bus, log });
  const leave = tail.follow(idle);
  await tail.ready();
  const { events, upTo } = await tail.after(0n, filter);
  expect([events.length, upTo]).toEqual([7, tail.position]);
  leave();
});

test("trimming forgets what is old, keeps no holes, and is remembered when nothing is left", async () => {
  const before = await outbox.extent();
  expect(before.trimmed).toBe(0n);
  world.clock.advanceMs(86_400_000);
  await append(3);
  await outbox.publish();
  expect(await outbox.trim(new Date(world.clock.nowMs() - 3_600_000))).toBe(7);
  const after = await outbox.extent();
  expect([after.trimmed, after.epoch]).toEqual([before.head, before.epoch]);
  expect((await outbox.after(after.trimmed, null, null)).length).toBe(3);
  await append(1);
  world.clock.advanceMs(86_400_000);
  expect(await outbox.trim(world.clock.now())).toBe(3);
  const { trimmed, head } = await outbox.extent();
  expect([trimmed, head]).toEqual([after.head, after.head]);
  await outbox.publish();
  expect((await outbox.extent()).head).toBe(head + 1n);
});

test("what a snapshot may hold already is told apart by what is yet to come", async () => {
  const { head } = await outbox.extent();
  await append(1);
  await outbox.publish();
  await append(1);
  expect(await outbox.yetToTell(head, filter.topics, organisation)).toHaveLength(2);
  expect(await outbox.yetToTell(head, filter.topics, newId())).toHaveLength(0);
  await outbox.publish();
});

test("a tail whose connections are cut goes on where it was", async () => {
  const tail = new OutboxTail({ outbox, bus: world.bus, log });
  let moves = 0;
  const leave = tail.follow({ ...idle, moved: () => void moves++ });
  await tail.ready();
  const from = tail.position;
  await append(4);
  const published = outbox.publish();
  await published;
  await world.db.source
    .query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()")
    .catch(() => undefined);
  await until("the events", () => tail.position === from + 4n, 8_000);
  expect((await tail.after(from, filter)).events).toHaveLength(4);
  leave();
});
