/** A hundred clients that ask for 200 MB each and do not read: what that costs in memory, and what others notice. */
import { setTimeout as pause } from "node:timers/promises";
import { percentile } from "./figures";
import { closedLoop } from "./load";
import { residentBytes } from "./processes";
import { RawClient, requestTo } from "./raw-client";
import { bodyOf, fixed, mebibytes, print, type Row, rounded } from "./relay-row";
import type { Contestant } from "./relay-world";

const STALLED = 100;
const OTHERS = 8;

interface Effect {
  readonly growthBytes: number;
  readonly beforeP95Ms: number;
  readonly duringP95Ms: number;
  readonly failed: number;
}

export const stalled: Row = {
  peers: ["plain"],
  async run({ contestants }, { quick }) {
    const found = new Map<Contestant, Effect>();
    for (const contestant of contestants) found.set(contestant, await measure(contestant, quick ? 5_000 : 20_000));
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

async function measure({ target, pid }: Contestant, durationMs: number): Promise<Effect> {
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
  // What the sockets of this machine take up first is no memory of the entrant.
  await pause(2_000);
  let mostBytes = 0;
  const watch = setInterval(() => {
    mostBytes = Math.max(mostBytes, residentBytes(pid!) ?? 0);
  }, 250);
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
