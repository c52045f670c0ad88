/** Requests a second in a closed loop: 64 clients with small bodies, or 20 with prompts of 220 KB. */
import { median, percentile } from "./figures";
import { closedLoop } from "./load";
import { cpuMicros } from "./processes";
import { bodyOf, fixed, print, type Row, rounded, type Setting, whole } from "./relay-row";
import type { Contestant, World } from "./relay-world";

interface Figures {
  readonly requestsPerSecond: number[];
  readonly p50Ms: number[];
  readonly p99Ms: number[];
  readonly cpuMicros: number[];
  readonly postgresCpuMicros: number[];
  readonly writes: number[];
  failures: number;
}

interface Shape {
  readonly row: string;
  readonly title: string;
  readonly clients: number;
  readonly body: string;
}

const PEERS = ["direct", "nginx", "plain", "portkey"];
/** By then V8 has compiled what it will of the relay: after 10,000 its compiler still took 32 µs of each request. */
const WARM_REQUESTS = 20_000;
const LARGE_PROMPT_BYTES = 220 * 1_024;

export const throughput: Row = {
  peers: PEERS,
  run: (world, setting) =>
    measureAll(world, setting, {
      row: "throughput",
      title: "64 clients, small bodies",
      clients: 64,
      body: bodyOf("whole"),
    }),
};

export const large: Row = {
  peers: PEERS,
  run: (world, setting) =>
    measureAll(world, setting, {
      row: "large",
      title: "20 clients, prompts of 220 KB",
      clients: 20,
      body: bodyOf("whole", { prompt: "exergy ".repeat(Math.ceil(LARGE_PROMPT_BYTES / 7)) }),
    }),
};

async function measureAll(world: World, { quick, rounds }: Setting, shape: Shape): Promise<void> {
  const durationMs = quick ? 1_500 : 4_000;
  const figures = new Map<Contestant, Figures>();
  for (const contestant of world.contestants) {
    figures.set(contestant, noFigures());
    await closedLoop(contestant.target, shape.body, {
      clients: shape.clients,
      durationMs: 1_500,
      requestsMin: WARM_REQUESTS,
    });
  }
  for (let round = 0; round < rounds; round++)
    for (const contestant of world.contestants)
      await measure(world, contestant, { ...shape, durationMs, into: figures.get(contestant)! });
  report(shape, figures, rounds);
}

function noFigures(): Figures {
  return { requestsPerSecond: [], p50Ms: [], p99Ms: [], cpuMicros: [], postgresCpuMicros: [], writes: [], failures: 0 };
}

async function measure(
  { postgres }: World,
  { target, pid }: Contestant,
  { clients, body, durationMs, into }: Shape & { durationMs: number; into: Figures },
): Promise<void> {
  const spent = async () => ({
    entrant: pid === null ? null : cpuMicros(pid),
    postgres: postgres.cpuMicros(),
    writes: await postgres.writes(),
  });
  const before = await spent();
  const run = await closedLoop(target, body, { clients, durationMs });
  const after = await spent();
  const each = (later: number | null, earlier: number | null) =>
    later === null || earlier === null ? [] : [(later - earlier) / Math.max(1, run.requests)];
  into.requestsPerSecond.push(run.requests / run.seconds);
  into.p50Ms.push(percentile(run.latenciesMs, 0.5));
  into.p99Ms.push(percentile(run.latenciesMs, 0.99));
  into.cpuMicros.push(...each(after.entrant, before.entrant));
  into.postgresCpuMicros.push(...each(after.postgres, before.postgres));
  into.writes.push(...each(after.writes, before.writes));
  into.failures += run.failures;
}

function report(shape: Shape, figures: ReadonlyMap<Contestant, Figures>, rounds: number): void {
  const of = (name: string) =>
    median([...figures].find(([contestant]) => contestant.name === name)?.[1].requestsPerSecond ?? []);
  const rows = [...figures].map(([{ name }, its]) => {
    const perSecond = median(its.requestsPerSecond);
    const books = name === "relay";
    return [
      name,
      whole(perSecond),
      fixed(perSecond / of("plain")),
      fixed(perSecond / of("portkey *")),
      `${fixed(median(its.p50Ms))} / ${fixed(median(its.p99Ms))}`,
      whole(median(its.cpuMicros)),
      books ? whole(median(its.postgresCpuMicros)) : "–",
      books ? median(its.writes).toFixed(3) : "–",
      String(its.failures),
    ];
  });
  const relay = [...figures].at(-1)![1];
  print(`${shape.title}: medians of ${rounds} interleaved rounds`, {
    head: [
      "entrant",
      "req/s",
      "× plain",
      "× Portkey",
      "p50 / p99 ms",
      "CPU µs/req",
      "PostgreSQL CPU µs/req",
      "commits/req",
      "failed",
    ],
    rows,
    figures: {
      row: shape.row,
      requestsPerSecond: Math.round(of("relay")),
      ratioToPlain: rounded(of("relay") / of("plain")),
      ratioToPortkey: rounded(of("relay") / of("portkey *")),
      cpuMicrosPerRequest: Math.round(median(relay.cpuMicros)),
      postgresCpuMicrosPerRequest: Math.round(median(relay.postgresCpuMicros)),
      commitsPerRequest: rounded(median(relay.writes)),
      failed: relay.failures,
    },
  });
}
