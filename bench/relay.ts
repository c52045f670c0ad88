/** The relay against nginx, a plain proxy, the gateway of npm and no proxy at all, row by row; prints ratios and the machine. */

import { canPin } from "./processes";
import { firstToken, latency } from "./relay-latency";
import { memory } from "./relay-memory";
import { profile } from "./relay-profile";
import type { Row } from "./relay-row";
import { stalled } from "./relay-stalled";
import { streams } from "./relay-streams";
import { large, throughput } from "./relay-throughput";
import { inWorld } from "./relay-world";

const rows: Readonly<Record<string, Row>> = {
  throughput,
  latency,
  "first-token": firstToken,
  streams,
  large,
  memory,
  stalled,
  profile,
};

export async function benchRelay(args: readonly string[]): Promise<void> {
  const quick = args.includes("--quick");
  const asked = Object.keys(rows).filter((name) => args.includes(name));
  const only = args[args.indexOf("--peers") + 1 || args.length]?.split(",");
  for (const name of asked.length > 0 ? asked : Object.keys(rows)) {
    const { peers, run } = rows[name]!;
    // A world of its own for each: what one row leaves in memory is not the next one's.
    await inWorld(
      peers.filter((peer) => only === undefined || only.includes(peer)),
      (world) => run(world, { quick, rounds: quick ? 2 : 5 }),
    );
  }
  console.log(
    `\n${canPin ? "Entrant on core 0, load and provider on core 1, PostgreSQL on either" : "Not pinned"}; fsync on; mutual TLS to the provider. ` +
      "* speaks no client certificate: it has the provider's plain port, which favours it.",
  );
}
