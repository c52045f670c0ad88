/** An operation that takes too long is answered in time, and what works for it is told to stop. */

import type { Context } from "../../src/api/context";
import { inTime } from "../../src/api/time-limits";
import { DomainError } from "../../src/platform/errors";

const contextOf = (signal: AbortSignal): Context => ({ signal, requestId: "r" }) as Context;
const never = () => new Promise<never>(() => undefined);

it("answers TIMEOUT, and aborts the signal of what goes on", async () => {
  let signal: AbortSignal | undefined;
  const { data, errors } = await inTime(
    "query",
    contextOf(new AbortController().signal),
    (timed) => {
      signal = timed.signal;
      return never();
    },
    5,
  );
  expect(data).toBeNull();
  expect(errors?.map(({ originalError }) => (originalError as DomainError).code)).toEqual(["TIMEOUT"]);
  expect(signal?.aborted).toBe(true);
});

it("hands on what came in time, result or failure, and leaves neither timer nor listener", async () => {
  jest.useFakeTimers();
  try {
    const gone = new AbortController();
    const off = jest.spyOn(gone.signal, "removeEventListener");
    expect(await inTime("query", contextOf(gone.signal), () => ({ data: { a: 1 } }))).toEqual({ data: { a: 1 } });
    expect(await inTime("query", contextOf(gone.signal), async () => ({ data: {} }))).toEqual({ data: {} });
    await expect(
      inTime("query", contextOf(gone.signal), async () => {
        throw new DomainError("INTERNAL", "broken");
      }),
    ).rejects.toThrow("broken");
    expect(jest.getTimerCount()).toBe(0);
    expect(off).toHaveBeenCalledTimes(3);
  } finally {
    jest.useRealTimers();
  }
});

it("gives a query fifteen seconds and a mutation a minute", async () => {
  jest.useFakeTimers();
  try {
    for (const [kind, ms] of [
      ["query", 15_000],
      ["mutation", 60_000],
      ["subscription", 15_000],
    ] as const) {
      let done = false;
      const ended = inTime(kind, contextOf(new AbortController().signal), never).then(() => {
        done = true;
      });
      await jest.advanceTimersByTimeAsync(ms - 1);
      expect(done).toBe(false);
      await jest.advanceTimersByTimeAsync(1);
      await ended;
    }
  } finally {
    jest.useRealTimers();
  }
});

it("stops when the client is gone, before and while it runs", async () => {
  const gone = new AbortController();
  const seen: AbortSignal[] = [];
  const result = inTime("query", contextOf(gone.signal), async ({ signal }) => {
    seen.push(signal);
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    return { data: null };
  });
  gone.abort();
  await result;
  await inTime("query", contextOf(gone.signal), ({ signal }) => {
    seen.push(signal);
    return { data: null };
  });
  expect(seen.map(({ aborted }) => aborted)).toEqual([true, true]);
});
