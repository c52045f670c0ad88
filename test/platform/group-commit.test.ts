import fc from "fast-check";
import { DomainError } from "../../src/platform/errors";
import { GroupCommit, QueueFull } from "../../src/platform/group-commit";

/** A commit that waits until the test lets it go, and keeps what it was given. */
function heldCommit() {
  const batches: number[][] = [];
  const releases: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const commit = (items: number[]) =>
    new Promise<string[]>((resolve, reject) => {
      batches.push(items);
      releases.push({ resolve: () => resolve(items.map((item) => `r${item}`)), reject });
    });
  return { batches, releases, commit };
}

const nextTick = () => new Promise<void>((resolve) => setImmediate(resolve));

test("items of one tick share one commit, and each gets its own result", async () => {
  const batches: number[][] = [];
  const commit = async (items: number[]) => {
    batches.push(items);
    return items.map((item) => item * 10);
  };
  const queue = new GroupCommit({ commit, maxQueued: 100 });
  expect(await Promise.all([1, 2, 3].map((item) => queue.submit(item)))).toEqual([10, 20, 30]);
  expect(batches).toEqual([[1, 2, 3]]);
});

test("what arrives while a commit is in flight is the next batch, in order of arrival", async () => {
  const { batches, releases, commit } = heldCommit();
  const queue = new GroupCommit({ commit, maxQueued: 100 });
  const first = queue.submit(1);
  await nextTick();
  const second = queue.submit(2);
  await nextTick();
  const third = queue.submit(3);
  expect(batches).toEqual([[1]]);
  expect(queue.queued).toBe(2);
  releases[0]?.resolve();
  await first;
  await nextTick();
  expect(batches).toEqual([[1], [2, 3]]);
  releases[1]?.resolve();
  expect(await Promise.all([second, third])).toEqual(["r2", "r3"]);
});

test("a batch never exceeds its maximum; the rest follows without a new submit", async () => {
  const sizes: number[] = [];
  const commit = async (items: number[]) => {
    sizes.push(items.length);
    return items;
  };
  const queue = new GroupCommit({ commit, maxBatch: 4, maxQueued: 100 });
  const items = Array.from({ length: 10 }, (_, index) => index);
  expect(await Promise.all(items.map((item) => queue.submit(item)))).toEqual(items);
  expect(sizes).toEqual([4, 4, 2]);
});

test("without a maximum given, 257 items are two commits", async () => {
  const sizes: number[] = [];
  const commit = async (items: number[]) => {
    sizes.push(items.length);
    return items;
  };
  const queue = new GroupCommit({ commit, maxQueued: 1_000 });
  await Promise.all(Array.from({ length: 257 }, (_, index) => queue.submit(index)));
  expect(sizes).toEqual([256, 1]);
});

test("a failed commit rejects its own batch only", async () => {
  const { releases, commit } = heldCommit();
  const queue = new GroupCommit({ commit, maxBatch: 2, maxQueued: 100 });
  const outcomes = Promise.allSettled([1, 2, 3].map((item) => queue.submit(item)));
  await nextTick();
  const lost = new Error("connection lost");
  releases[0]?.reject(lost);
  await nextTick();
  releases[1]?.resolve();
  expect(await outcomes).toEqual([
    { status: "rejected", reason: lost },
    { status: "rejected", reason: lost },
    { status: "fulfilled", value: "r3" },
  ]);
});

test("a commit that throws before its first await rejects the batch, and the queue goes on", async () => {
  let broken = true;
  const commit = (items: number[]): Promise<number[]> => {
    if (broken) throw new Error("broken");
    return Promise.resolve(items);
  };
  const queue = new GroupCommit({ commit, maxQueued: 100 });
  await expect(queue.submit(1)).rejects.toThrow("broken");
  broken = false;
  expect(await queue.submit(2)).toBe(2);
});

test("a commit that answers too few results rejects all, because nobody knows whose is missing", async () => {
  const queue = new GroupCommit({ commit: async (items: number[]) => items.slice(1), maxQueued: 100 });
  const outcomes = await Promise.allSettled([queue.submit(1), queue.submit(2)]);
  expect(outcomes.map((outcome) => outcome.status)).toEqual(["rejected", "rejected"]);
});

test("an item beyond the queue's limit is refused as overload; those in flight do not count", async () => {
  const { releases, commit } = heldCommit();
  const queue = new GroupCommit({ commit, maxQueued: 2 });
  const inFlight = queue.submit(0);
  await nextTick();
  const waiting = [queue.submit(1), queue.submit(2)];
  const refusal = await queue.submit(3).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(QueueFull);
  expect(refusal).toBeInstanceOf(DomainError);
  expect(refusal).toMatchObject({ code: "OVERLOADED", maxQueued: 2 });
  releases[0]?.resolve();
  await inFlight;
  await nextTick();
  releases[1]?.resolve();
  expect(await Promise.all(waiting)).toEqual(["r1", "r2"]);
});

test("drain waits for what is in flight and for what arrives meanwhile, failed or not", async () => {
  const { releases, commit } = heldCommit();
  const queue = new GroupCommit({ commit, maxQueued: 100 });
  await queue.drain();
  void queue.submit(1);
  await nextTick();
  let drained = false;
  const draining = queue.drain().then(() => {
    drained = true;
  });
  const late = queue.submit(2).catch(() => "refused");
  releases[0]?.resolve();
  await nextTick();
  expect(drained).toBe(false);
  releases[1]?.reject(new Error("no"));
  await draining;
  expect(await late).toBe("refused");
});

test("whatever the bursts, sizes and failures, each item is committed once, in order, and its promise settles", async () => {
  const burst = fc.record({ size: fc.integer({ min: 1, max: 9 }), ticks: fc.integer({ min: 0, max: 3 }) });
  const script = fc.record({
    bursts: fc.array(burst, { maxLength: 12 }),
    maxBatch: fc.integer({ min: 1, max: 5 }),
    failEvery: fc.integer({ min: 2, max: 6 }),
  });
  await fc.assert(
    fc.asyncProperty(script, async ({ bursts, maxBatch, failEvery }) => {
      const committed: number[] = [];
      let commits = 0;
      const commit = async (items: number[]) => {
        commits += 1;
        committed.push(...items);
        await nextTick();
        if (commits % failEvery === 0) throw new Error("failed");
        return items;
      };
      const queue = new GroupCommit({ commit, maxBatch, maxQueued: 1_000 });
      const promises: Promise<number>[] = [];
      for (const { size, ticks } of bursts) {
        for (let count = 0; count < size; count++) {
          const promise = queue.submit(promises.length);
          promise.catch(() => {}); // Looked at below; until then a failure is not unhandled.
          promises.push(promise);
        }
        for (let tick = 0; tick < ticks; tick++) await nextTick();
      }
      const outcomes = await Promise.allSettled(promises);
      await queue.drain();
      expect(committed).toEqual(promises.map((_, index) => index));
      outcomes.forEach((outcome, index) => {
        if (outcome.status === "fulfilled") expect(outcome.value).toBe(index);
      });
    }),
    { numRuns: 60 },
  );
});
