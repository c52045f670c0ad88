/** Leaving in turns: everybody once, within the window, never all at once when they are many. */
import { leaveInTurns } from "../../src/api/leave-in-turns";

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

test("many leave in an order of chance, spread over the window", async () => {
  const all = Array.from({ length: 10_000 }, (_, n) => n);
  const left: { one: number; atMs: number }[] = [];
  const startedMs = Date.now();
  const leaving = leaveInTurns(all, 10_000, (one) => left.push({ one, atMs: Date.now() - startedMs }));
  await jest.advanceTimersByTimeAsync(15_000);
  await leaving;
  expect(left.map(({ one }) => one).toSorted((a, b) => a - b)).toEqual(all);
  expect(left.map(({ one }) => one)).not.toEqual(all);
  expect(left.at(-1)!.atMs).toBeGreaterThan(5_000);
  expect(left.at(-1)!.atMs).toBeLessThan(10_000);
  const perMoment = new Map<number, number>();
  for (const { atMs } of left) perMoment.set(atMs, (perMoment.get(atMs) ?? 0) + 1);
  expect(Math.max(...perMoment.values())).toBeLessThanOrEqual(134);
});

test("a few leave at once", async () => {
  const left: number[] = [];
  await leaveInTurns([1, 2, 3], 10_000, (one) => left.push(one));
  expect(left.toSorted()).toEqual([1, 2, 3]);
  expect(jest.getTimerCount()).toBe(0);
});
