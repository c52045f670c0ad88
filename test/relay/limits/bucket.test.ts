/** A minute's allowance: refills evenly, never beyond the limit, and remembers what was used when the limit changes. */
import fc from "fast-check";
import { Bucket } from "../../../src/relay/limits/bucket";
import { durationText } from "../../../src/relay/limits/rate-headers";

test("what was taken comes back evenly, and only up to the limit", () => {
  const bucket = new Bucket(60, 0);
  bucket.take(60, 0);
  expect(bucket.available(0)).toBe(0);
  expect(bucket.waitMs(1, 0)).toBe(1_000);
  expect(bucket.available(1_500)).toBe(1.5);
  expect(bucket.available(600_000)).toBe(60);
  bucket.give(1_000, 600_000);
  expect(bucket.available(600_000)).toBe(60);
});

test("a debt is paid by time before anything is there again", () => {
  const bucket = new Bucket(60, 0);
  bucket.take(90, 0);
  expect(bucket.available(10_000)).toBe(-20);
  expect(bucket.waitMs(1, 10_000)).toBe(21_000);
});

test("a clock that is set back gives nothing and takes nothing", () => {
  const bucket = new Bucket(60, 10_000);
  bucket.take(10, 10_000);
  expect(bucket.available(0)).toBe(50);
});

test("a new limit leaves what was used used", () => {
  const bucket = new Bucket(60, 0);
  bucket.take(50, 0);
  bucket.setLimit(100, 0);
  expect(bucket.available(0)).toBe(50);
  bucket.setLimit(40, 0);
  expect(bucket.available(0)).toBe(-10);
});

test("in no span does more get through than the limit and what refilled in it", () => {
  const step = fc.record({ waitMs: fc.nat(5_000), wanted: fc.nat(20) });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.array(step, { maxLength: 100 }), (limit, steps) => {
      const bucket = new Bucket(limit, 0);
      let nowMs = 0;
      let taken = 0;
      for (const { waitMs, wanted } of steps) {
        nowMs += waitMs;
        if (bucket.available(nowMs) < wanted) {
          // The time that it tells is enough, and not too much by more than its rounding.
          const soonMs = nowMs + bucket.waitMs(wanted, nowMs);
          if (wanted <= limit) expect(new Bucket(limit, 0).available(soonMs)).toBeGreaterThanOrEqual(0);
          continue;
        }
        bucket.take(wanted, nowMs);
        taken += wanted;
        expect(taken).toBeLessThanOrEqual(limit + (nowMs * limit) / 60_000 + 1e-6);
      }
    }),
  );
});

test.each([
  [0, "0s"],
  [-5, "0s"],
  [6, "6ms"],
  [6.2, "7ms"],
  [1_000, "1s"],
  [8_640, "8.64s"],
  [60_000, "1m0s"],
  [359_999.5, "6m0s"],
  [3_600_500, "1h0m0.5s"],
])("%d ms is written %s, as OpenAI does", (ms, text) => {
  expect(durationText(ms)).toBe(text);
});
