/** The edges of capacity windows, and what several of them add up to. */
import fc from "fast-check";
import { covers, inMaintenance, listedGpus, type WindowFacts } from "../../src/capacity/window-rules";

const place = { providerId: "p", accelerator: "H100", region: "eu-north", zone: "eu-north-a" };
const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 0, minute));

const aWindow = (changes: Partial<WindowFacts> = {}): WindowFacts => ({
  ...place,
  kind: "BASELINE",
  gpuCount: 8,
  startsAt: at(10),
  endsAt: at(20),
  cancelledAt: null,
  ...changes,
});

test("the start belongs to a window, the end does not", () => {
  const instants = [new Date(at(10).getTime() - 1), at(10), new Date(at(20).getTime() - 1), at(20)];
  expect(instants.map((instant) => covers(aWindow(), instant))).toEqual([false, true, true, false]);
});

test("a window without an end covers everything after its start", () => {
  expect(covers(aWindow({ endsAt: null }), new Date("2199-01-01T00:00:00Z"))).toBe(true);
});

test("a cancelled window held until its cancellation; one that was cancelled before its start never did", () => {
  const cancelled = aWindow({ cancelledAt: at(15) });
  expect([at(14), at(15), at(16)].map((instant) => covers(cancelled, instant))).toEqual([true, false, false]);
  expect([at(9), at(10), at(11)].some((instant) => covers(aWindow({ cancelledAt: at(9) }), instant))).toBe(false);
});

test("two windows that follow each other leave neither a gap nor an overlap", () => {
  const windows = [aWindow(), aWindow({ startsAt: at(20), endsAt: at(30) })];
  expect([at(19), at(20), at(29), at(30)].map((instant) => listedGpus(windows, place, instant))).toEqual([8, 8, 8, 0]);
});

test("baseline and burst add up, maintenance is no capacity, and other places do not count", () => {
  const windows = [
    aWindow(),
    aWindow({ kind: "BURST", gpuCount: 4 }),
    aWindow({ kind: "MAINTENANCE", gpuCount: 16 }),
    aWindow({ providerId: "q" }),
    aWindow({ accelerator: "A100" }),
    aWindow({ region: "ap-east" }),
    aWindow({ zone: "eu-north-b" }),
  ];
  expect(listedGpus(windows, place, at(10))).toBe(12);
});

test("maintenance is where and when its window is", () => {
  const windows = [aWindow(), aWindow({ kind: "MAINTENANCE", startsAt: at(12), endsAt: at(14) })];
  expect([at(11), at(12), at(13), at(14)].map((instant) => inMaintenance(windows, place, instant))).toEqual([
    false,
    true,
    true,
    false,
  ]);
  expect(inMaintenance(windows, { ...place, zone: "eu-north-b" }, at(12))).toBe(false);
});

test("listed GPUs are the sum over the windows one by one, whatever their order", () => {
  const windows = fc.array(
    fc.record({
      kind: fc.constantFrom("BASELINE", "BURST", "MAINTENANCE"),
      gpuCount: fc.integer({ min: 1, max: 100 }),
      startsAt: fc.integer({ min: 0, max: 30 }).map(at),
      endsAt: fc.option(fc.integer({ min: 31, max: 60 }).map(at)),
      cancelledAt: fc.option(fc.integer({ min: 0, max: 60 }).map(at)),
    }),
  );
  fc.assert(
    fc.property(windows, fc.integer({ min: 0, max: 60 }), (shapes, minute) => {
      const all = shapes.map((shape) => aWindow(shape as Partial<WindowFacts>));
      const oneByOne = all.reduce((sum, window) => sum + listedGpus([window], place, at(minute)), 0);
      expect(listedGpus(all, place, at(minute))).toBe(oneByOne);
      expect(listedGpus(all.toReversed(), place, at(minute))).toBe(oneByOne);
    }),
  );
});
