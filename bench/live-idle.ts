/** What a subscriber costs that hears nothing: resident memory before and after ten thousand of them. */
import { table } from "./figures";
import type { LiveBench, LiveServer } from "./live";
import { openFollowers } from "./live-followers";
import { residentBytes } from "./processes";

export async function idleSubscribers(bench: LiveBench, { subscribers }: { subscribers: number }): Promise<void> {
  const server = await bench.exergy();
  // Code is compiled and pools are filled by the first few; they are not what an idle subscriber costs.
  const first = await openFollowers(bench, server, 100);
  const before = await settled(server);
  const followers = await openFollowers(bench, server, subscribers);
  const after = await settled(server);
  const { closings } = await followers.figures();
  const each = before === null || after === null ? Number.NaN : (after - before) / subscribers;
  const mebibytes = (bytes: number | null) => (bytes === null ? "–" : (bytes / 1024 ** 2).toFixed(1));
  console.log(
    `\n${table(
      ["idle subscribers", "RSS before MiB", "RSS after MiB", "KB each", "closed"],
      [[String(subscribers), mebibytes(before), mebibytes(after), (each / 1_000).toFixed(1), String(closings.length)]],
    )}`,
  );
  console.log(
    JSON.stringify({ bench: "live idle", kilobytesEach: Number((each / 1_000).toFixed(1)), closed: closings.length }),
  );
  await followers.close();
  await first.close();
  await bench.stop(server.entrant);
}

/** After collections, until what was opened has stopped moving the figure. */
async function settled({ entrant }: LiveServer): Promise<number | null> {
  let last: number | null = null;
  for (let look = 0; look < 10; look++) {
    await entrant.ask({ do: "collect" });
    const now = residentBytes(entrant.child.pid!);
    if (now === null || (last !== null && Math.abs(now - last) < 1024 ** 2)) return now;
    last = now;
  }
  return last;
}
