/** The streams' engine: asks when the consumer is ready, loses no stir, and ends at once. */
import { latestValues } from "../../src/api/streams/latest-values";
import { pullStream } from "../../src/api/streams/pull-stream";
import { MemoryBus } from "../../src/events/event-bus";

/** Whether a promise is settled by now, without waiting for it. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  const not = Symbol();
  await new Promise((resolve) => setImmediate(resolve));
  return (await Promise.race([promise, Promise.resolve(not)])) !== not;
}

function queueSource() {
  const items: number[] = [];
  let wake = () => {};
  let closed = 0;
  const stream = pullStream<number>((stir) => {
    wake = stir;
    return { take: () => items.shift(), close: () => void closed++ };
  });
  const push = (item: number) => {
    items.push(item);
    wake();
  };
  return { stream, push, closings: () => closed };
}

test("return() settles a waiting next() at once and closes the source once", async () => {
  const { stream, closings } = queueSource();
  const waiting = stream.next();
  expect(await settled(waiting)).toBe(false);
  expect(await stream.return!()).toEqual({ done: true, value: undefined });
  expect(await waiting).toEqual({ done: true, value: undefined });
  expect(await stream.next()).toEqual({ done: true, value: undefined });
  await stream.return!();
  expect(closings()).toBe(1);
});

test("what was fetched late comes in order, and a waiting consumer is served at once", async () => {
  const { stream, push } = queueSource();
  push(1);
  push(2);
  expect([(await stream.next()).value, (await stream.next()).value]).toEqual([1, 2]);
  const waiting = stream.next();
  push(3);
  expect(await waiting).toEqual({ done: false, value: 3 });
});

test("what comes while the source is looking is not lost", async () => {
  let wake = () => {};
  let items = 0;
  let look = () => {};
  const stream = pullStream<number>((stir) => {
    wake = stir;
    return {
      take: async () => {
        if (items > 0) return items--;
        await new Promise<void>((resolve) => {
          look = resolve;
        });
        return undefined;
      },
      close: () => {},
    };
  });
  const next = stream.next();
  await new Promise((resolve) => setImmediate(resolve));
  items = 1;
  wake();
  look();
  expect(await next).toEqual({ done: false, value: 1 });
});

test("an error of the source ends the stream and closes the source", async () => {
  let closed = false;
  const stream = pullStream<number>(() => ({
    take: () => Promise.reject(new Error("broken")),
    close: () => {
      closed = true;
    },
  }));
  await expect(stream.next()).rejects.toThrow("broken");
  expect(closed).toBe(true);
  expect(await stream.next()).toEqual({ done: true, value: undefined });
});

test("a slow consumer of latest values gets the newest of each key, each key once", async () => {
  const bus = new MemoryBus();
  const changed = (startupId: string) => bus.publish("balance.changed", { startupId });
  const stream = latestValues(bus, {
    topic: "balance.changed",
    keyOf: ({ startupId }) => startupId[0]!,
    wanted: ({ startupId }) => startupId !== "c1",
  });
  for (const startupId of ["a1", "b1", "c1", "a2", "a3"]) changed(startupId);
  const got = [await stream.next(), await stream.next()].map(({ value }) => value.startupId);
  expect(got).toEqual(["a3", "b1"]);
  const waiting = stream.next();
  changed("b2");
  expect((await waiting).value.startupId).toBe("b2");
  await stream.return!();
});
