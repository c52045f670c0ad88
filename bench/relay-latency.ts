/** What an entrant adds at one client: to a whole answer, or to the first content of a stream. */
import type { CommitTimes } from "./commit-timing";
import { percentile } from "./figures";
import { closedLoop } from "./load";
import { bodyOf, fixed, print, type Row, rounded, type Setting } from "./relay-row";
import type { Contestant, World } from "./relay-world";

const PEERS = ["direct", "nginx", "plain", "portkey"];

interface Shape {
  readonly row: string;
  readonly title: string;
  readonly body: string;
  readonly toContent: boolean;
}

export const latency: Row = {
  peers: PEERS,
  run: (world, setting) =>
    measureAll(world, setting, {
      row: "latency",
      title: "One client, whole answers",
      body: bodyOf("whole"),
      toContent: false,
    }),
};

export const firstToken: Row = {
  peers: PEERS,
  run: (world, setting) =>
    measureAll(world, setting, {
      row: "first-token",
      title: "One client, first content of a stream",
      body: bodyOf("stream"),
      toContent: true,
    }),
};

async function measureAll(world: World, { quick, rounds }: Setting, shape: Shape): Promise<void> {
  const latenciesMs = new Map<Contestant, number[]>();
  const failed = new Map<Contestant, number>();
  const measure = async (contestant: Contestant, durationMs: number) => {
    const run = await closedLoop(contestant.target, shape.body, { clients: 1, durationMs, toContent: shape.toContent });
    latenciesMs.get(contestant)!.push(...run.latenciesMs);
    failed.set(contestant, (failed.get(contestant) ?? 0) + run.failures);
  };
  for (const contestant of world.contestants) {
    // Compiled and connected as in service: the warm-up is a busy one.
    await closedLoop(contestant.target, shape.body, { clients: 8, durationMs: 2_000, requestsMin: 5_000 });
    latenciesMs.set(contestant, []);
  }
  await world.relay.ask({ do: "commits" });
  for (let round = 0; round < rounds; round++)
    for (const contestant of world.contestants) await measure(contestant, quick ? 1_000 : 3_000);
  const commits = await world.relay.ask<CommitTimes>({ do: "commits" });
  report(shape, { latenciesMs, failed, commits, rounds });
}

interface Measured {
  readonly latenciesMs: ReadonlyMap<Contestant, readonly number[]>;
  readonly failed: ReadonlyMap<Contestant, number>;
  readonly commits: CommitTimes;
  readonly rounds: number;
}

function report({ row, title }: Shape, { latenciesMs, failed, commits, rounds }: Measured): void {
  const direct = [...latenciesMs.values()][0]!;
  const added = (values: readonly number[], share: number) => percentile(values, share) - percentile(direct, share);
  const rows = [...latenciesMs].map(([contestant, values]) => [
    contestant.name,
    `${fixed(percentile(values, 0.5))} / ${fixed(percentile(values, 0.99))}`,
    fixed(added(values, 0.5)),
    fixed(added(values, 0.99)),
    String(values.length),
    String(failed.get(contestant)),
  ]);
  const relay = [...latenciesMs.values()].at(-1)!;
  const commitMs = percentile(commits.latenciesMs, 0.5);
  print(
    `${title}: ${rounds} interleaved rounds; one group commit takes ${fixed(commitMs)} ms (p50), ${fixed(percentile(commits.latenciesMs, 0.99))} ms (p99)`,
    {
      head: ["entrant", "p50 / p99 ms", "added p50 ms", "added p99 ms", "requests", "failed"],
      rows,
      figures: {
        row,
        addedP50Ms: rounded(added(relay, 0.5)),
        addedP99Ms: rounded(added(relay, 0.99)),
        groupCommitP50Ms: rounded(commitMs),
      },
    },
  );
}
