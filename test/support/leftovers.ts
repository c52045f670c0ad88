/** Fails a test that leaves something behind: an open hold, a slot still taken, a socket, a timer. */

/** Something that must be back at zero when a test is over. */
export interface Leftover {
  readonly name: string;
  count(): number | Promise<number>;
}

/** What comes, comes in milliseconds; on a machine that has other work it may take seconds. */
const PATIENCE_MS = 15_000;
const LOOK_EVERY_MS = 2;
/** Sockets and timers that keep a process alive; one that is unref'd is none of these. */
const resources = ["TCPSocketWrap", "TCPServerWrap", "TLSWrap", "PipeWrap", "Timeout", "Immediate"] as const;

/** Resolves as soon as `condition` holds, with what it answered; asks again and again, for what has no event. */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  patienceMs = PATIENCE_MS,
): Promise<NonNullable<T>> {
  const deadlineMs = performance.now() + patienceMs;
  for (;;) {
    const answer = await condition();
    if (answer) return answer;
    if (performance.now() > deadlineMs) throw new Error(`waited ${patienceMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** What ends a moment after the answer (a provider's close event, a commit) gets a moment. Errors: names what is left. */
export async function expectNothingLeft(leftovers: readonly Leftover[]): Promise<void> {
  const counted = async () => Promise.all(leftovers.map(async ({ name, count }) => ({ name, count: await count() })));
  let left: { name: string; count: number }[] = [];
  await until("nothing left", async () => {
    left = (await counted()).filter(({ count }) => count !== 0);
    return left.length === 0;
  }).catch(() => {
    throw new Error(`left behind: ${left.map(({ name, count }) => `${count} × ${name}`).join(", ")}`);
  });
}

/** Call it in the first beforeAll of a file, and what it returns at the end of the last afterAll. */
export function watchResources(): () => Promise<void> {
  const before = openResources();
  const leftovers = resources.map((name) => ({
    name,
    // `until` waits on a timer, which is out while nothing is counted.
    count: () => Math.max(0, openResources()[name] - before[name]),
  }));
  return () => expectNothingLeft(leftovers);
}

function openResources(): Record<(typeof resources)[number], number> {
  const open = process.getActiveResourcesInfo();
  const count = (name: string) => open.filter((resource) => resource === name).length;
  return Object.fromEntries(resources.map((name) => [name, count(name)])) as ReturnType<typeof openResources>;
}
