/** One client that stops reading under load: the server's memory over time, and what the others feel. */
import { table } from "./figures";
import type { LiveBench } from "./live";
import { openFollowers } from "./live-followers";
import { residentBytes } from "./processes";

const OTHERS = 20;
/** 2,000 events a second, more than half a megabyte: the kernel's buffers of the stalled socket are full within seconds. */
const EVERY_MS = 50;
const EVENTS_EACH = 100;
const LOOKS = 6;

export async function stalledClient(bench: LiveBench, { durationMs }: { durationMs: number }): Promise<void> {
  const server = await bench.exergy();
  const followers = await openFollowers(bench, server, 1 + OTHERS);
  const rows: string[][] = [];
  const look = async (when: string, durationMs: number) => {
    await followers.reset();
    const published = await server.entrant.ask<number>({
      do: "pace",
      everyMs: EVERY_MS,
      eventsEach: EVENTS_EACH,
      durationMs,
    });
    const complete = await followers.allHave(published, 3_000);
    const { p50Ms, p99Ms } = await followers.figures();
    // What is left after a collection is held, not merely unswept.
    await server.entrant.ask({ do: "collect" });
    const bytes = residentBytes(server.entrant.child.pid!);
    const memory = bytes === null ? "–" : (bytes / 1024 ** 2).toFixed(1);
    const ms = (value: number | null) => (value === null ? "–" : value.toFixed(1));
    rows.push([when, memory, `${ms(p50Ms)} / ${ms(p99Ms)}`, complete ? "all" : "not all"]);
    return bytes;
  };
  await followers.time(true);
  // The heap grows to its working size in the first seconds, with or without a stalled client.
  await look("warm-up", Math.min(durationMs, 5_000));
  const before = await look("all read", Math.min(durationMs, 10_000) / 2);
  await followers.stall(0);
  let highest = 0;
  for (let n = 1; n <= LOOKS; n++) {
    highest = Math.max(
      highest,
      (await look(`${((durationMs * n) / LOOKS / 1_000).toFixed(0)} s stalled`, durationMs / LOOKS)) ?? 0,
    );
  }
  await followers.release(0);
  await look("reads again", 1_000);
  const { closings } = await followers.figures();
  const head = ["one stalled client", "RSS MiB", `p50 / p99 ms of ${OTHERS} others`, "others had"];
  console.log(`\n${table(head, rows)}`);
  console.log(
    `${(1_000 / EVERY_MS) * EVENTS_EACH} events/s; the stalled socket was closed with ${closings[0] ?? "nothing"}.`,
  );
  console.log(
    JSON.stringify({
      bench: "live stalled",
      seconds: durationMs / 1_000,
      grewMebibytes: before === null ? null : Number(((highest - before) / 1024 ** 2).toFixed(1)),
      closedWith: closings[0] ?? null,
    }),
  );
  await followers.close();
  await bench.stop(server.entrant);
}
