import { OffsetClock } from "../../src/platform/test-clock";
import { TestClock } from "../support/clock";

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

test("it runs with the real one, ahead by what it was moved", () => {
  const real = new TestClock("2026-01-31T10:00:00Z");
  const clock = new OffsetClock(real);
  expect(clock.now().toISOString()).toBe("2026-01-31T10:00:00.000Z");
  clock.moveTo(40 * DAY_MS);
  expect(clock.now().toISOString()).toBe("2026-03-12T10:00:00.000Z");
  real.advanceMs(1_500);
  expect(clock.nowMs() - real.nowMs()).toBe(40 * DAY_MS);
});

test("it moves forwards only, and says what moved it and what did not", () => {
  const clock = new OffsetClock(new TestClock());
  const moves: number[] = [];
  const end = clock.onMoved(() => void moves.push(clock.offsetMs));
  expect([5, 5, 3, 8].map((offsetMs) => clock.moveTo(offsetMs))).toEqual([true, false, false, true]);
  expect(moves).toEqual([5, 8]);
  end();
  clock.moveTo(9);
  expect(moves).toEqual([5, 8]);
});

test("what began before a move has not lasted longer for it, until it would have ended anyway", () => {
  const real = new TestClock("2026-01-31T10:00:00Z");
  const clock = new OffsetClock(real);
  const expiresAt = new Date(clock.nowMs() + 10 * MINUTE_MS);
  const expired = () => expiresAt < clock.nowWithoutMoves(11 * MINUTE_MS);
  real.advanceMs(MINUTE_MS);
  clock.moveTo(40 * DAY_MS);
  clock.moveTo(41 * DAY_MS);
  expect(expired()).toBe(false);
  real.advanceMs(8 * MINUTE_MS);
  expect(expired()).toBe(false);
  real.advanceMs(4 * MINUTE_MS);
  expect(expired()).toBe(true);
});

test("what begins after a move is never taken for expired too early", () => {
  const real = new TestClock("2026-01-31T10:00:00Z");
  const clock = new OffsetClock(real);
  clock.moveTo(40 * DAY_MS);
  const expiresAt = new Date(clock.nowMs() + 10 * MINUTE_MS);
  for (let minute = 0; minute <= 10; minute += 1, real.advanceMs(MINUTE_MS)) {
    expect(clock.nowWithoutMoves(11 * MINUTE_MS) > expiresAt).toBe(false);
  }
});
