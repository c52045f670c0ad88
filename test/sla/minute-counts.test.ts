/** What was observed is counted once, also when it could not be written at first. */
import { MinuteCounts, minuteOf } from "../../src/sla/minute-counts";

const atMs = Date.UTC(2026, 0, 1, 12, 30, 59, 999);

test("a minute goes from second 0 to the last millisecond of second 59", () => {
  expect(new Date(minuteOf(atMs)).toISOString()).toBe("2026-01-01T12:30:00.000Z");
  expect(minuteOf(atMs + 1)).toBe(minuteOf(atMs) + 60_000);
});

test("attempts and probes are counted per endpoint and minute", () => {
  const counts = new MinuteCounts();
  counts.attempt("e", atMs, { failed: false, ttftMs: 150 });
  counts.attempt("e", atMs, { failed: true });
  counts.attempt("e", atMs + 1, { failed: false, ttftMs: null });
  counts.probe("f", atMs, true);
  counts.probe("f", atMs, false);
  const [first, second, third] = counts.take();
  expect(first?.counters).toMatchObject({
    requests: 2,
    failed: 1,
    ttftSamples: 1,
    within100Ms: 0,
    within200Ms: 1,
    within500Ms: 1,
  });
  expect(second?.counters).toMatchObject({ requests: 1, failed: 0, ttftSamples: 0 });
  expect(third).toMatchObject({ endpointId: "f", counters: { probes: 2, probesFailed: 1 } });
  expect(counts.take()).toEqual([]);
});

test("what is put back adds to what came meanwhile", () => {
  const counts = new MinuteCounts();
  counts.attempt("e", atMs, { failed: true });
  const taken = counts.take();
  counts.attempt("e", atMs, { failed: false, ttftMs: 90 });
  counts.putBack(taken);
  expect(counts.take()).toEqual([
    expect.objectContaining({ counters: expect.objectContaining({ requests: 2, failed: 1, within100Ms: 1 }) }),
  ]);
});
