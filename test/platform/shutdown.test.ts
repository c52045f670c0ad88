import { EventEmitter } from "node:events";
import { createLog } from "../../src/platform/log";
import { installShutdown } from "../../src/platform/shutdown";
import { TestClock } from "../support/clock";

function stand(options: { deadlineMs?: number } = {}) {
  const lines: string[] = [];
  const exits: number[] = [];
  const host = Object.assign(new EventEmitter(), { exit: (code: number) => void exits.push(code) });
  const clock = new TestClock();
  const log = createLog({ level: "info", write: (line) => lines.push(line) });
  return { shutdown: installShutdown({ log, host, clock, ...options }), host, clock, exits, lines };
}

const never = () => new Promise<void>(() => {});
const nextTick = () => new Promise<void>((resolve) => setImmediate(resolve));

test.each(["SIGINT", "SIGTERM", "SIGHUP"])(
  "%s stops what was opened last first, each after the one before, then exits 0",
  async (signal) => {
    const { shutdown, host, exits } = stand();
    const order: string[] = [];
    shutdown.add("database", () => void order.push("database"));
    shutdown.add("server", async () => {
      order.push("server closing");
      await nextTick();
      order.push("server closed");
    });
    host.emit(signal, signal);
    await shutdown.stop("joined");
    expect(order).toEqual(["server closing", "server closed", "database"]);
    expect(exits).toEqual([0]);
  },
);

test("a step that fails is logged by name, the others still run, and the exit code is 1", async () => {
  const { shutdown, exits, lines } = stand();
  const order: string[] = [];
  shutdown.add("database", () => void order.push("database"));
  shutdown.add("bus", () => Promise.reject(new Error("gone")));
  shutdown.add("timer", () => {
    throw new Error("broken");
  });
  await shutdown.stop("done");
  expect(order).toEqual(["database"]);
  expect(exits).toEqual([1]);
  const failed = lines.map((line) => JSON.parse(line)).filter((entry) => entry.level === "error");
  expect(failed.map((entry) => entry.step)).toEqual(["timer", "bus"]);
});

test("the exit code of a program that ends by itself is kept", async () => {
  const { shutdown, exits } = stand();
  await Promise.all([shutdown.stop("figures do not add up", 3), shutdown.stop("again", 0)]);
  expect(exits).toEqual([3]);
});

test("a step added while stopping is stopped too", async () => {
  const { shutdown } = stand();
  const order: string[] = [];
  shutdown.add("server", () => {
    shutdown.add("late", () => void order.push("late"));
  });
  await shutdown.stop("done");
  expect(order).toEqual(["late"]);
});

describe("with a step that hangs", () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  test("a second Ctrl-C leaves at once, but not the copy of the first that npm passes on", () => {
    const { shutdown, host, clock, exits } = stand();
    shutdown.add("stream", never);
    host.emit("SIGINT", "SIGINT");
    clock.advanceMs(20);
    host.emit("SIGINT", "SIGINT");
    expect(exits).toEqual([]);
    clock.advanceMs(1_000);
    host.emit("SIGINT", "SIGINT");
    expect(exits).toEqual([130]);
  });

  test("the step is named at the deadline, and the process leaves with 1", async () => {
    const { shutdown, exits, lines } = stand({ deadlineMs: 10_000 });
    shutdown.add("database", never);
    const stopping = shutdown.stop("SIGTERM");
    await jest.advanceTimersByTimeAsync(9_999);
    expect(exits).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    await stopping;
    expect(exits).toEqual([1]);
    expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ step: "database", deadlineMs: 10_000 });
  });
});
