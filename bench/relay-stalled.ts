/** A hundred clients that ask for 200 MB each and do not read: what that costs in memory, and what others notice. */
import { setTimeout as pause } from "node:timers/promises";
import { percentile } from "./figures";
import { closedLoop } from "./load";
import { cpuMicros, residentBytes } from "./processes";
import { RawClient, requestTo } from "./raw-client";
import { bodyOf, fixed, mebibytes, print, type Row, rounded } from "./relay-row";
import type { Contestant } from "./relay-world";

const STALLED = 100;
const OTHERS = 8;
const QUIET_ROUND_MS = 500;
const QUIET_ROUNDS_MAX = 20;

interface Effect {
  readonly growthBytes: number;
  readonly beforeP95Ms: number;
  readonly duringP95Ms: number;
  readonly failed: number;
}

export const stalled: Row = {
  peers: ["plain"],
  async run({ contestants, providerPid }, { quick }) {
    const found = new Map<Contestant, Effect>();
    for (const contestant of contestants)
      found.set(contestant, await measure(contestant, providerPid, quick ? 4_000 : 15_000));
    const relay = [...found.values()].at(-1)!;
    print(`${STALLED} readers that do not read, 200 MB for each; ${OTHERS} others`, {
      head: ["entrant", "memory growth MiB", "others' p95 ms before", "during", "ratio", "others failed"],
      rows: [...found].map(([{ name }, { growthBytes, beforeP95Ms, duringP95Ms, failed }]) => [
        name,
        mebibytes(growthBytes),
        fixed(beforeP95Ms),
        fixed(duringP95Ms),
        fixed(duringP95Ms / beforeP95Ms),
        String(failed),
      ]),
      figures: {
        row: "stalled",
        growthMiB: Number(mebibytes(relay.growthBytes)),
        p95Ratio: rounded(relay.duringP95Ms / relay.beforeP95Ms),
      },
    });
  },
};

/**
 * The kernel's own buffers take megabytes of each stream first, which the provider must encrypt. The relay gives a reader that
 * takes nothing 30 s: the figures must be had within them.
 */
async function untilQuiet(providerPid: number): Promise<void> {
  for (let round = 0; round < QUIET_ROUNDS_MAX; round++) {
    const before = cpuMicros(providerPid) ?? 0;
    await pause(QUIET_ROUND_MS);
    if ((cpuMicros(providerPid) ?? 0) - before < QUIET_ROUND_MS * 50) return;
  }
}

async function measure({ target, pid }: Contestant, providerPid: number, durationMs: number): Promise<Effect> {
  const others = (forMs: number) => closedLoop(target, bodyOf("whole"), { clients: OTHERS, durationMs: forMs });
  await others(3_000);
  const before = await others(durationMs);
  const restingBytes = residentBytes(pid!) ?? Number.NaN;
  const clients = await RawClient.openMany(target, STALLED);
  const request = requestTo(target, bodyOf("flood"));
  for (const client of clients) {
    void client.send(request);
    client.stopReading();
  }
  let mostBytes = 0;
  const watch = setInterval(() => {
    mostBytes = Math.max(mostBytes, residentBytes(pid!) ?? 0);
  }, 250);
  await untilQuiet(providerPid);
  const during = await others(durationMs);
  clearInterval(watch);
  for (const client of clients) client.close();
  return {
    growthBytes: mostBytes - restingBytes,
    beforeP95Ms: percentile(before.latenciesMs, 0.95),
    duringP95Ms: percentile(during.latenciesMs, 0.95),
    failed: during.failures,
  };
}
