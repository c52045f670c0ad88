/** Resident memory with a thousand open streams, and what of it is left a minute after they ended. */
import { setTimeout as pause } from "node:timers/promises";
import { closedLoop } from "./load";
import { residentBytes } from "./processes";
import { RawClient, requestTo } from "./raw-client";
import { bodyOf, mebibytes, print, type Row, rounded } from "./relay-row";
import type { Contestant } from "./relay-world";

const STREAMS = 1_000;
/** A frame each second. */
const FRAMES = 20;

interface Memory {
  readonly idle: number;
  readonly open: number;
  readonly after: number;
  readonly failed: number;
}

export const memory: Row = {
  peers: ["plain", "portkey"],
  async run({ contestants }, { quick }) {
    const found = new Map<Contestant, Memory>();
    for (const contestant of contestants) found.set(contestant, await measure(contestant, quick ? 15_000 : 60_000));
    const relay = [...found.values()].at(-1)!;
    print(
      `${STREAMS} open streams, a frame a second each; afterwards is ${quick ? 15 : 60} s after the last one's end`,
      {
        head: ["entrant", "idle MiB", "open MiB", "afterwards MiB", "afterwards / idle", "streams not whole"],
        rows: [...found].map(([{ name }, { idle, open, after, failed }]) => [
          name,
          mebibytes(idle),
          mebibytes(open),
          mebibytes(after),
          (after / idle).toFixed(2),
          String(failed),
        ]),
        figures: {
          row: "memory",
          idleMiB: Number(mebibytes(relay.idle)),
          openMiB: Number(mebibytes(relay.open)),
          afterwardsToIdle: rounded(relay.after / relay.idle),
        },
      },
    );
  },
};

async function measure({ target, pid }: Contestant, restMs: number): Promise<Memory> {
  const resident = () => residentBytes(pid!) ?? Number.NaN;
  await closedLoop(target, bodyOf("stream"), { clients: 16, durationMs: 3_000 });
  await pause(3_000);
  const idle = resident();
  const clients = await RawClient.openMany(target, STREAMS);
  const request = requestTo(target, bodyOf(`paced ${FRAMES} 1000`));
  let open = 0;
  const watch = setInterval(() => {
    open = Math.max(open, resident());
  }, 500);
  const whole = await Promise.all(clients.map((client) => client.send(request)));
  clearInterval(watch);
  for (const client of clients) client.close();
  await pause(restMs);
  return { idle, open, after: resident(), failed: whole.filter((ok) => !ok).length };
}
