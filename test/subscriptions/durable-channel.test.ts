/** Durable channels against a model of the outbox: every event once, in order, whatever is published when and wherever one resumes. */
import fc from "fast-check";
import { cursorAt, readCursor, type StreamCursor } from "../../src/api/streams/cursor";
import { DurableChannel } from "../../src/api/streams/durable-channel";
import type { DurableStream } from "../../src/api/streams/stream";
import { MemoryBus } from "../../src/events/event-bus";
import type { DurableEvent } from "../../src/events/outbox";
import { OutboxTail } from "../../src/events/outbox-tail";
import { countedFigures, plainRendering, Reader, settle } from "./a-reader";

/** Larger than what one reading takes, so that following needs several. */
const BATCH = 3;
const EPOCH = "0190a0b0-0000-7000-8000-000000000001";
const quiet = { error: () => undefined, warn: () => undefined };

function aModel() {
  const bus = new MemoryBus();
  const events: DurableEvent[] = [];
  let epoch = EPOCH;
  let trimmed = 0n;
  let away = false;
  let readings = 0;
  const reach = async () => {
    if (away) throw Object.assign(new Error("gone"), { code: "ECONNREFUSED" });
  };
  const outbox = {
    extent: async () => {
      await reach();
      return { epoch, trimmed, head: BigInt(events.length) };
    },
    after: async (position: bigint) => {
      await reach();
      readings += 1;
      const kept = events.filter((event) => event.position > position && event.position > trimmed);
      return kept.slice(0, BATCH) as never[];
    },
    yetToTell: async () => [],
  };
  const rendering = plainRendering();
  const figures = countedFigures();
  const tail = new OutboxTail({ outbox, bus, log: quiet as never, batchMax: BATCH });
  const stream: DurableStream = {
    kind: "DURABLE",
    topics: ["sla.breach.opened"],
    organisationId: null,
    snapshot: async () => [`standing ${events.length}`],
    itemsOf: async (batch) => batch.map(({ payload }) => (payload as { breachId: string }).breachId),
    toldBy: () => undefined,
    tells: () => undefined,
  };
  let emptied = 0;
  const open = () => new DurableChannel(stream, { tail, outbox, rendering, figures, onEmpty: () => void emptied++ });
  return {
    bus,
    tail,
    rendering,
    figures,
    open,
    publish(tell = true) {
      const position = BigInt(events.length + 1);
      const payload = { breachId: String(position) };
      events.push({ position, topic: "sla.breach.opened", organisationId: "o", payload, createdAt: new Date(0) });
      if (tell) bus.publish("outbox.published", { position: String(position) });
    },
    trimTo: (position: bigint) => {
      trimmed = position;
    },
    restore(to: number, newEpoch: string) {
      events.splice(to);
      epoch = newEpoch;
    },
    setAway: (now: boolean) => {
      away = now;
    },
    size: () => events.length,
    readings: () => readings,
    emptied: () => emptied,
  };
}

type Shown = { item?: string; gap?: string; cursor: string };
const shown = ({ got }: Reader) => (got as Shown[]).map(({ item, gap }) => item ?? (gap ? `gap ${gap}` : "checkpoint"));
const cursors = ({ got }: Reader) => (got as Shown[]).map(({ cursor }) => readCursor(cursor));
const at = (position: bigint | null, epoch = EPOCH): StreamCursor => ({ epoch, position });

test("without a cursor it is the snapshot, a checkpoint, then what is published, made once for all", async () => {
  const model = aModel();
  model.publish();
  const channel = model.open();
  const readers = Array.from({ length: 10 }, () => new Reader());
  const leave = readers.map((reader) => channel.join(reader, null));
  await settle();
  model.publish();
  await settle();
  for (const reader of readers) expect(shown(reader)).toEqual(["standing 1", "checkpoint", "2"]);
  // One snapshot of an item and a checkpoint, and one event.
  expect(model.rendering.rendered).toBe(3);
  for (const end of leave) end();
  expect([channel.size, model.emptied()]).toEqual([0, 1]);
});

test("resuming anywhere, among others who are anywhere else, tells everything behind the cursor once and in order", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(12),
      fc.array(fc.record({ publish: fc.nat(5), reader: fc.nat(3), stall: fc.boolean(), turns: fc.nat(2) }), {
        maxLength: 15,
      }),
      async (before, steps) => {
        const model = aModel();
        for (let n = 0; n < before; n++) model.publish(false);
        const channel = model.open();
        const anchor = channel.join(new Reader(), at(BigInt(before)));
        const followers = Array.from({ length: 4 }, () => ({ got: [] as string[], position: BigInt(before) }));
        const connect = (index: number) => {
          const reader = new Reader();
          return { reader, leave: channel.join(reader, at(followers[index]!.position)) };
        };
        const connections = followers.map((_follower, index) => connect(index));
        const cut = (index: number) => {
          const { reader, leave } = connections[index]!;
          leave();
          followers[index]!.got.push(...shown(reader));
          followers[index]!.position = cursors(reader).at(-1)?.position ?? followers[index]!.position;
        };
        for (const { publish, reader, stall, turns } of steps) {
          for (let n = 0; n < publish; n++) model.publish();
          for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
          // Either its connection is cut, whatever was on the way, or it stops reading for a while.
          if (!stall) {
            cut(reader);
            connections[reader] = connect(reader);
          }
        }
        await settle();
        for (const index of followers.keys()) cut(index);
        anchor();
        const all = Array.from({ length: model.size() - before }, (_, n) => String(before + n + 1));
        for (const { got } of followers) expect(got).toEqual(all);
      },
    ),
    { numRuns: 60 },
  );
});

test("a hundred who come back with cursors that lie close together cost the execution of one", async () => {
  const model = aModel();
  const channel = model.open();
  const anchor = channel.join(new Reader(), at(0n));
  await settle();
  for (let n = 0; n < 9; n++) model.publish();
  await settle();
  const { rendered } = model.rendering;
  const readers = Array.from({ length: 100 }, () => new Reader());
  const leave = readers.map((reader, index) => channel.join(reader, at(BigInt(index % 9))));
  await settle();
  for (const [index, reader] of readers.entries()) expect(shown(reader)).toHaveLength(9 - (index % 9));
  expect(model.rendering.rendered).toBe(rendered);
  for (const end of [anchor, ...leave]) end();
});

test("whoever leaves in the middle of a snapshot gets all of it when coming back", async () => {
  const model = aModel();
  const channel = model.open();
  const reader = new Reader();
  const leave = channel.join(reader, null);
  await settle();
  const again = new Reader();
  const leaveAgain = channel.join(again, readCursor((reader.got[0] as Shown).cursor));
  await settle();
  expect(shown(again)).toEqual(["standing 0", "checkpoint"]);
  leave();
  leaveAgain();
});

test("a cursor that leads nowhere is told as a gap, then a snapshot, never as silence", async () => {
  const model = aModel();
  for (let n = 0; n < 8; n++) model.publish(false);
  model.trimTo(5n);
  const channel = model.open();
  const follow = async (after: StreamCursor) => {
    const reader = new Reader();
    const leave = channel.join(reader, after);
    await settle();
    leave();
    return shown(reader);
  };
  const anchor = channel.join(new Reader(), null);
  const snapshot = ["standing 8", "checkpoint"];
  expect(await follow(at(4n))).toEqual(["gap TRIMMED", ...snapshot]);
  expect(await follow(at(5n))).toEqual(["6", "7", "8"]);
  expect(await follow(at(8n))).toEqual([]);
  expect(await follow(at(9n))).toEqual(["gap EPOCH_CHANGED", ...snapshot]);
  expect(await follow(at(8n, "0190a0b0-0000-7000-8000-000000000002"))).toEqual(["gap EPOCH_CHANGED", ...snapshot]);
  expect(model.figures.gaps).toEqual(["TRIMMED", "EPOCH_CHANGED", "EPOCH_CHANGED"]);
  anchor();
});

test("a reader that is too slow is told up to where it has everything, and goes on from there", async () => {
  const model = aModel();
  const channel = model.open();
  const [slow, quick] = [new Reader(), new Reader()];
  channel.join(slow, null);
  const leave = channel.join(quick, null);
  await settle();
  model.publish();
  await settle();
  slow.stall();
  model.publish();
  model.publish();
  await settle();
  expect(shown(slow)).toEqual(["standing 0", "checkpoint", "1", "gap SLOW_CONSUMER"]);
  expect([slow.shedTimes, channel.size]).toEqual([1, 1]);
  expect(shown(quick).slice(2)).toEqual(["1", "2", "3"]);
  const again = new Reader();
  const leaveAgain = channel.join(again, cursors(slow).at(-1)!);
  await settle();
  expect(shown(again)).toEqual(["2", "3"]);
  leave();
  leaveAgain();
});

test("a cursor of something else is refused", () => {
  const encoded = (text: string) => Buffer.from(text).toString("base64url");
  for (const cursor of [
    "",
    "outbox:1",
    encoded("id:1"),
    encoded("outbox:1"),
    encoded(`outbox:${EPOCH}:-1`),
    encoded(`outbox:${EPOCH}:9999999999999999999`),
    encoded(`outbox:${EPOCH}:007`),
    `${cursorAt(at(1n))}=`,
    `${cursorAt(at(1n))} `,
  ]) {
    expect(() => readCursor(cursor)).toThrow(expect.objectContaining({ code: "BAD_USER_INPUT", field: ["after"] }));
  }
  for (const position of [null, 0n, 12n, (1n << 63n) - 1n]) {
    expect(readCursor(cursorAt(at(position)))).toEqual(at(position));
  }
});

describe("as time passes", () => {
  beforeEach(() => jest.useFakeTimers({ doNotFake: ["setImmediate", "nextTick"] }));
  afterEach(() => jest.useRealTimers());

  test("what the bus did not tell is found by the poll, and a database that was away loses nothing", async () => {
    const model = aModel();
    model.setAway(true);
    const channel = model.open();
    const reader = new Reader();
    const leave = channel.join(reader, null);
    await settle();
    model.setAway(false);
    await jest.advanceTimersByTimeAsync(3_000);
    expect(shown(reader)).toEqual(["standing 0", "checkpoint"]);
    model.setAway(true);
    model.publish(false);
    await jest.advanceTimersByTimeAsync(4_000);
    model.setAway(false);
    await jest.advanceTimersByTimeAsync(2_000);
    await settle();
    expect(shown(reader).slice(2)).toEqual(["1"]);
    leave();
    expect(jest.getTimerCount()).toBe(0);
  });

  test("an idle stream sends a checkpoint, from which one resumes without loss", async () => {
    const model = aModel();
    const channel = model.open();
    const reader = new Reader();
    const leave = channel.join(reader, null);
    await settle();
    await jest.advanceTimersByTimeAsync(21_000);
    await settle();
    expect(shown(reader).slice(2)).toEqual(["checkpoint"]);
    leave();
    model.publish();
    const again = new Reader();
    const leaveAgain = model.open().join(again, cursors(reader).at(-1)!);
    await settle();
    expect(shown(again)).toEqual(["1"]);
    leaveAgain();
  });

  test("a database that was wound back to a backup is told to all who follow, then a snapshot", async () => {
    const model = aModel();
    for (let n = 0; n < 5; n++) model.publish(false);
    const channel = model.open();
    const reader = new Reader();
    const leave = channel.join(reader, null);
    await settle();
    model.restore(2, "0190a0b0-0000-7000-8000-000000000003");
    await jest.advanceTimersByTimeAsync(2_000);
    await settle();
    expect(shown(reader).slice(2)).toEqual(["gap EPOCH_CHANGED", "standing 2", "checkpoint"]);
    model.publish();
    await settle();
    expect(shown(reader).at(-1)).toBe("3");
    leave();
  });
});
