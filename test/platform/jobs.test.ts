import { everyMs } from "../../src/platform/jobs";
import { createLog } from "../../src/platform/log";

const lines: string[] = [];
const log = createLog({ level: "error", write: (line) => lines.push(line) });

function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

beforeEach(() => {
  lines.length = 0;
  jest.useFakeTimers();
});
afterEach(() => jest.useRealTimers());

test("work runs after each interval, first after one", async () => {
  let runs = 0;
  const job = everyMs("count", 1_000, async () => void runs++, { log });
  await jest.advanceTimersByTimeAsync(999);
  expect(runs).toBe(0);
  await jest.advanceTimersByTimeAsync(3_001);
  expect(runs).toBe(4);
  await job.stop();
  await jest.advanceTimersByTimeAsync(5_000);
  expect(runs).toBe(4);
});

test("a run that takes longer than the interval is not overlapped", async () => {
  let inFlight = 0;
  let inFlightMax = 0;
  let runs = 0;
  const work = async () => {
    inFlightMax = Math.max(inFlightMax, ++inFlight);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    inFlight -= 1;
    runs += 1;
  };
  const job = everyMs("slow", 1_000, work, { log });
  await jest.advanceTimersByTimeAsync(7_000);
  expect(runs).toBe(2);
  expect(inFlightMax).toBe(1);
  await job.stop();
});

test.each([
  ["rejects", () => Promise.reject(new Error("no database"))],
  [
    "throws",
    () => {
      throw new Error("no database");
    },
  ],
])("work that %s is logged by name and runs again", async (_how, fail) => {
  let runs = 0;
  const work = () => {
    runs += 1;
    return fail();
  };
  const job = everyMs("sweep", 1_000, work, { log });
  await jest.advanceTimersByTimeAsync(2_000);
  expect(runs).toBe(2);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ job: "sweep", err: { message: "no database" } });
  await job.stop();
});

test("runNow during a run is answered by a run that began later, shared by all who asked", async () => {
  const gates = [gate(), gate(), gate()];
  let begun = 0;
  const job = everyMs("publish", 60_000, () => gates[begun++]?.opened ?? Promise.resolve(), { log });
  const first = job.runNow();
  const later = [job.runNow(), job.runNow()];
  expect(begun).toBe(1);
  gates[0]?.open();
  await first;
  await jest.advanceTimersByTimeAsync(0);
  expect(begun).toBe(2);
  gates[1]?.open();
  await Promise.all(later);
  expect(begun).toBe(2);
  await job.stop();
});

test("stop waits for the run in flight, and nothing runs after it", async () => {
  const { opened, open } = gate();
  let runs = 0;
  const work = async () => {
    runs += 1;
    await opened;
  };
  const job = everyMs("drain", 1_000, work, { log });
  void job.runNow();
  const following = job.runNow();
  let stopped = false;
  const stopping = job.stop().then(() => {
    stopped = true;
  });
  await jest.advanceTimersByTimeAsync(5_000);
  expect(stopped).toBe(false);
  open();
  await stopping;
  await following;
  await job.runNow();
  expect(runs).toBe(1);
});

test("an outage is one line when it begins, and an end of it makes the next one a line again", async () => {
  let broken = true;
  const work = () => (broken ? Promise.reject(new Error("no database")) : Promise.resolve());
  const job = everyMs("publish", 1_000, work, { log });
  await jest.advanceTimersByTimeAsync(5_000);
  expect(lines).toHaveLength(1);
  broken = false;
  await jest.advanceTimersByTimeAsync(1_000);
  broken = true;
  await jest.advanceTimersByTimeAsync(5_000);
  expect(lines).toHaveLength(2);
  await job.stop();
});
