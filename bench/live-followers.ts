/** Followers of one server in a process of their own, as the live benches command them. */
import type { LiveBench, LiveServer } from "./live";

export interface Seen {
  readonly total: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly closings: readonly (number | null)[];
}

/** The protocol does not tell when a subscription stands: samples are sent until every follower has had one. */
export async function openFollowers(bench: LiveBench, server: LiveServer, count: number) {
  const entrant = await bench.followers(server);
  await entrant.ask({ do: "open", count });
  await entrant.ask({ do: "reset" });
  for (let probe = 0; ; probe++) {
    await server.entrant.ask({ do: "publish", events: 1 });
    if (await entrant.ask<boolean>({ do: "await", messages: 1, withinMs: 1_000 })) break;
    if (probe === 30) throw new Error(`not all of ${count} followers hear ${server.name}`);
  }
  return {
    reset: () => entrant.ask({ do: "reset" }),
    time: (on: boolean) => entrant.ask({ do: "time", on }),
    /** False when a follower is still without `messages` since the reset. */
    allHave: (messages: number, withinMs: number) => entrant.ask<boolean>({ do: "await", messages, withinMs }),
    stall: (n: number) => entrant.ask({ do: "stall", n }),
    release: (n: number) => entrant.ask({ do: "release", n }),
    figures: () => entrant.ask<Seen>({ do: "figures" }),
    close: () => bench.stop(entrant),
  };
}
