import { systemClock } from "../../src/platform/clock";
import { TestClock } from "../support/clock";

test("the system clock tells one time in both forms", () => {
  const beforeMs = Date.now();
  const atMs = systemClock.nowMs();
  const at = systemClock.now();
  expect(atMs).toBeGreaterThanOrEqual(beforeMs);
  expect(at.getTime()).toBeGreaterThanOrEqual(atMs);
  expect(Date.now()).toBeGreaterThanOrEqual(at.getTime());
});

test("a test clock stands still until it is moved, and a Date it gave out stays as it was", () => {
  const clock = new TestClock("2026-03-01T00:00:00Z");
  const first = clock.now();
  clock.advanceMs(1_500);
  expect(clock.now().toISOString()).toBe("2026-03-01T00:00:01.500Z");
  expect(first.toISOString()).toBe("2026-03-01T00:00:00.000Z");
  clock.moveTo("2026-04-01T00:00:00Z");
  expect(clock.nowMs()).toBe(Date.UTC(2026, 3, 1));
});
