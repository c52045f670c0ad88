/** Channels of newest values: made once for all, the newest of each key for who is slow, and nothing for who has left. */
import { LatestChannel } from "../../src/api/streams/latest-channel";
import type { LatestStream } from "../../src/api/streams/stream";
import { MemoryBus } from "../../src/events/event-bus";
import { countedFigures, plainRendering, Reader, settle } from "./a-reader";

interface Value {
  readonly key: string;
  readonly value: number;
}

function aChannel(declaration: Partial<LatestStream<Value>> = {}) {
  const bus = new MemoryBus();
  const rendering = plainRendering();
  const figures = countedFigures();
  let tell: (value?: Value) => void = () => {};
  let listening = false;
  let emptied = 0;
  const stream: LatestStream<Value> = {
    kind: "LATEST",
    keyOf: ({ key }) => key,
    listen: (listener) => {
      tell = listener;
      listening = true;
      return () => {
        listening = false;
      };
    },
    ...declaration,
  };
  const channel = new LatestChannel(stream as LatestStream, {
    bus,
    rendering,
    figures,
    onEmpty: () => void emptied++,
  });
  return {
    bus,
    channel,
    rendering,
    figures,
    say: async (key: string, value: number) => {
      tell({ key, value });
      await settle();
    },
    stir: () => tell(),
    listening: () => listening,
    emptied: () => emptied,
  };
}

const lastly = (reader: Reader) => reader.got.map((got) => `${(got as Value).key}${(got as Value).value}`);

test("a value is made once and written to every reader, and to nobody who has left", async () => {
  const { channel, rendering, say, listening, emptied } = aChannel();
  const readers = [new Reader(), new Reader(), new Reader()];
  const leave = readers.map((reader) => channel.join(reader));
  await say("a", 1);
  leave[0]!();
  await say("a", 2);
  expect(readers.map(lastly)).toEqual([["a1"], ["a1", "a2"], ["a1", "a2"]]);
  expect(rendering.rendered).toBe(2);
  leave[1]!();
  leave[2]!();
  leave[2]!();
  expect([listening(), emptied()]).toEqual([false, 1]);
});

test("a reader that stalls gets the newest of each key when it can, and delays nobody", async () => {
  const { channel, say, figures } = aChannel();
  const [slow, quick] = [new Reader(), new Reader()];
  channel.join(slow);
  channel.join(quick);
  slow.stall();
  for (let value = 1; value <= 1_000; value++) await say(value % 2 ? "a" : "b", value);
  expect(quick.got).toHaveLength(1_000);
  expect(slow.got).toEqual([]);
  slow.readOn();
  await settle();
  expect(lastly(slow)).toEqual(["a999", "b1000"]);
  expect(figures.conflations).toBe(998);
  await say("a", 1_001);
  expect(lastly(slow).at(-1)).toBe("a1001");
});

test("what stands now is read once, told to each who comes, and not again while it looks the same", async () => {
  let standing: Value[] = [
    { key: "a", value: 1 },
    { key: "b", value: 1 },
  ];
  let readings = 0;
  const { channel, rendering, stir, bus } = aChannel({
    current: async () => {
      readings += 1;
      return standing;
    },
    looksOf: ({ value }) => String(value),
  });
  const [first, second] = [new Reader(), new Reader()];
  channel.join(first);
  await settle();
  channel.join(second);
  await settle();
  expect([lastly(first), lastly(second), rendering.rendered]).toEqual([["a1", "b1"], ["a1", "b1"], 2]);
  stir();
  await settle();
  expect(first.got).toHaveLength(2);
  standing = [
    { key: "a", value: 1 },
    { key: "b", value: 2 },
  ];
  const before = readings;
  bus.publish("bus.reconnected", {});
  await settle();
  expect([lastly(first).at(-1), lastly(second).at(-1), readings]).toEqual(["b2", "b2", before + 1]);
});

test("an error that is ours ends the stream for all, and a lost database only delays it", async () => {
  jest.useFakeTimers({ doNotFake: ["setImmediate", "nextTick"] });
  let failure: Error | null = Object.assign(new Error("gone"), { code: "ECONNREFUSED" });
  const { channel, emptied } = aChannel({
    current: async () => {
      if (failure) throw failure;
      return [{ key: "a", value: 1 }];
    },
  });
  const reader = new Reader();
  channel.join(reader);
  await settle();
  expect(reader.closed).toBe(false);
  failure = null;
  await jest.advanceTimersByTimeAsync(1_000);
  expect(lastly(reader)).toEqual(["a1"]);
  jest.useRealTimers();
  failure = new Error("a fault");
  const other = new Reader();
  channel.join(other);
  await settle();
  expect([reader.error, other.error, emptied()]).toEqual([failure, failure, 1]);
});

test("between two tellings there is a pause, and after it the newest", async () => {
  jest.useFakeTimers({ doNotFake: ["setImmediate", "nextTick"] });
  const { channel, say } = aChannel({ pauseMs: 250 });
  const reader = new Reader();
  const leave = channel.join(reader);
  for (let value = 1; value <= 9; value++) await say("a", value);
  expect(lastly(reader)).toEqual(["a1"]);
  await jest.advanceTimersByTimeAsync(250);
  expect(lastly(reader)).toEqual(["a1", "a9"]);
  leave();
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});
