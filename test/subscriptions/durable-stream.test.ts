/** Durable streams against a model of the outbox: every event once, in order, whatever is published when and wherever one resumes. */
import fc from "fast-check";
import { type DurableMessage, durableStream, positionOf } from "../../src/api/streams/durable-stream";
import { MemoryBus } from "../../src/events/event-bus";
import type { DurableEvent } from "../../src/events/outbox";

/** Larger than what one reading takes, so that following needs several. */
const BATCH = 3;

function anOutbox() {
  const bus = new MemoryBus();
  const events: DurableEvent[] = [];
  let away = false;
  const reach = async () => {
    if (away) throw Object.assign(new Error("gone"), { code: "ECONNREFUSED" });
  };
  return {
    bus,
    publish(tell = true) {
      const position = BigInt(events.length + 1);
      events.push({
        position,
        topic: "sla.breach.opened",
        organisationId: "o",
        payload: { breachId: String(position) },
        createdAt: new Date(0),
      });
      if (tell) bus.publish("outbox.published", { position: String(position) });
    },
    setAway: (now: boolean) => {
      away = now;
    },
    outbox: {
      head: async () => {
        await reach();
        return BigInt(events.length);
      },
      after: async (position: bigint) => {
        await reach();
        return events.filter((event) => event.position > position).slice(0, BATCH);
      },
    },
    size: () => events.length,
  };
}

type Model = ReturnType<typeof anOutbox>;

/** The snapshot tells how many events there have been; an event tells its number. */
const follow = (model: Model, after: bigint | null = null) =>
  durableStream<string>(model, {
    topics: ["sla.breach.opened"],
    organisationId: null,
    after,
    snapshot: async () => [`standing ${model.size()}`],
    itemsOf: async (events) => events.map(({ payload }) => payload.breachId),
  });

const shown = (message: DurableMessage<string>) => ("item" in message ? message.item : "checkpoint");

async function take(
  stream: AsyncIterableIterator<DurableMessage<string>>,
  count: number,
): Promise<DurableMessage<string>[]> {
  const messages: DurableMessage<string>[] = [];
  while (messages.length < count) messages.push((await stream.next()).value);
  return messages;
}

test("without a cursor it is the snapshot, a checkpoint, then what is published", async () => {
  const model = anOutbox();
  model.publish();
  const stream = follow(model);
  expect((await take(stream, 2)).map(shown)).toEqual(["standing 1", "checkpoint"]);
  const next = stream.next();
  model.publish();
  expect(shown((await next).value)).toBe("2");
  await stream.return!();
});

test("resuming anywhere tells everything behind the cursor once and in order", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(12),
      fc.array(fc.record({ publish: fc.nat(4), read: fc.nat(4), reconnect: fc.boolean() }), { maxLength: 12 }),
      async (before, steps) => {
        const model = anOutbox();
        for (let n = 0; n < before; n++) model.publish();
        let stream = follow(model);
        const [, checkpoint] = await take(stream, 2);
        let cursor = checkpoint!.cursor;
        const got: string[] = [];
        const read = async (count: number) => {
          for (const message of await take(stream, count)) {
            cursor = message.cursor;
            got.push(shown(message));
          }
        };
        for (const step of steps) {
          for (let n = 0; n < step.publish; n++) model.publish();
          await read(Math.min(step.read, model.size() - before - got.length));
          if (!step.reconnect) continue;
          await stream.return!();
          stream = follow(model, positionOf(cursor));
        }
        await read(model.size() - before - got.length);
        await stream.return!();
        expect(got).toEqual(Array.from({ length: model.size() - before }, (_, n) => String(before + n + 1)));
      },
    ),
  );
});

test("whoever leaves in the middle of a snapshot gets all of it when coming back", async () => {
  const model = anOutbox();
  const stream = follow(model);
  const [standing] = await take(stream, 1);
  await stream.return!();
  model.publish();
  const again = follow(model, positionOf(standing!.cursor));
  expect((await take(again, 2)).map(shown)).toEqual(["standing 1", "checkpoint"]);
  await again.return!();
});

test("a cursor of something else is refused, and none means the snapshot", () => {
  for (const cursor of [
    "",
    "outbox:1",
    Buffer.from("id:1").toString("base64url"),
    Buffer.from("outbox:-1").toString("base64url"),
  ]) {
    expect(() => positionOf(cursor)).toThrow(expect.objectContaining({ code: "BAD_USER_INPUT", field: ["after"] }));
  }
  expect(positionOf(null)).toBeNull();
});

describe("as time passes", () => {
  beforeEach(() => jest.useFakeTimers({ doNotFake: ["setImmediate", "nextTick"] }));
  afterEach(() => jest.useRealTimers());

  test("what the bus did not tell is found by the poll, and a database that was away loses nothing", async () => {
    const model = anOutbox();
    const stream = follow(model);
    await take(stream, 2);
    const next = stream.next();
    model.setAway(true);
    model.publish(false);
    await jest.advanceTimersByTimeAsync(4_000);
    model.setAway(false);
    await jest.advanceTimersByTimeAsync(2_000);
    expect(shown((await next).value)).toBe("1");
    await stream.return!();
    expect(jest.getTimerCount()).toBe(0);
  });

  test("an idle stream sends a checkpoint, from which one resumes without loss", async () => {
    const model = anOutbox();
    const stream = follow(model);
    await take(stream, 2);
    const next = stream.next();
    await jest.advanceTimersByTimeAsync(22_000);
    const checkpoint: DurableMessage<string> = (await next).value;
    expect(shown(checkpoint)).toBe("checkpoint");
    await stream.return!();
    model.publish();
    const again = follow(model, positionOf(checkpoint.cursor));
    expect((await take(again, 1)).map(shown)).toEqual(["1"]);
    await again.return!();
  });
});
