/** One stream to many sockets: deliveries and CPU flat out, latency at 20 events a second; Exergy and stock graphql-ws in turn. */
import { median, table } from "./figures";
import type { LiveBench, LiveServer } from "./live";
import { openFollowers } from "./live-followers";
import { cpuMicros } from "./processes";

/** Within what a server may hold back for one follower before it calls it slow. */
const BURST_EVENTS = 100;
const EVENTS_PER_SECOND = 20;

export interface FanOutSetting {
  readonly sockets: number;
  readonly rounds: number;
  readonly burstMs: number;
  readonly pacedMs: number;
}

interface Contestant {
  readonly server: LiveServer;
  readonly followers: Awaited<ReturnType<typeof openFollowers>>;
  readonly deliveriesPerSecond: number[];
  readonly cpuMicrosPerDelivery: number[];
  readonly pacedP50Ms: number[];
  readonly pacedP99Ms: number[];
  readonly pacedCpuMicrosPerDelivery: number[];
  lost: number;
}

export async function fanOut(bench: LiveBench, setting: FanOutSetting): Promise<void> {
  const exergy = await bench.exergy();
  const stock = await bench.stock(exergy.keys);
  const contestants: Contestant[] = [];
  for (const server of [exergy, stock]) {
    const followers = await openFollowers(bench, server, setting.sockets);
    contestants.push({
      server,
      followers,
      deliveriesPerSecond: [],
      cpuMicrosPerDelivery: [],
      pacedP50Ms: [],
      pacedP99Ms: [],
      pacedCpuMicrosPerDelivery: [],
      lost: 0,
    });
  }
  for (const contestant of contestants)
    await flatOut({ ...contestant, deliveriesPerSecond: [], cpuMicrosPerDelivery: [] }, setting);
  for (let round = 0; round < setting.rounds; round++) {
    for (const contestant of contestants) await flatOut(contestant, setting);
    for (const contestant of contestants) await paced(contestant, setting);
  }
  report(contestants, setting);
  for (const { followers, server } of contestants) {
    await followers.close();
    await bench.stop(server.entrant);
  }
}

/** Bursts, each after the one before it has arrived everywhere: no server is ahead of its followers by more than a burst. */
async function flatOut(contestant: Contestant, { sockets, burstMs }: FanOutSetting): Promise<void> {
  const { server, followers } = contestant;
  const before = cpuMicros(server.entrant.child.pid!);
  const startedMs = performance.now();
  let bursts = 0;
  await followers.reset();
  while (performance.now() - startedMs < burstMs) {
    await server.entrant.ask({ do: "publish", events: BURST_EVENTS });
    bursts += 1;
    if (!(await followers.allHave(bursts * BURST_EVENTS, 10_000))) {
      contestant.lost += sockets * BURST_EVENTS * bursts - (await followers.figures()).total;
      return;
    }
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  const after = cpuMicros(server.entrant.child.pid!);
  const deliveries = bursts * BURST_EVENTS * sockets;
  contestant.deliveriesPerSecond.push(deliveries / seconds);
  if (before !== null && after !== null) contestant.cpuMicrosPerDelivery.push((after - before) / deliveries);
}

async function paced(contestant: Contestant, { sockets, pacedMs }: FanOutSetting): Promise<void> {
  const { server, followers } = contestant;
  await followers.reset();
  await followers.time(true);
  const before = cpuMicros(server.entrant.child.pid!);
  const pace = { do: "pace", everyMs: 1_000 / EVENTS_PER_SECOND, eventsEach: 1, durationMs: pacedMs };
  const published = await server.entrant.ask<number>(pace);
  const complete = await followers.allHave(published, 3_000);
  const after = cpuMicros(server.entrant.child.pid!);
  await followers.time(false);
  const { total, p50Ms, p99Ms } = await followers.figures();
  if (!complete) contestant.lost += published * sockets - total;
  contestant.pacedP50Ms.push(p50Ms ?? Number.NaN);
  contestant.pacedP99Ms.push(p99Ms ?? Number.NaN);
  if (before !== null && after !== null)
    contestant.pacedCpuMicrosPerDelivery.push((after - before) / Math.max(1, total));
}

function report(contestants: readonly Contestant[], { sockets, rounds }: FanOutSetting): void {
  const [exergy, stock] = contestants as [Contestant, Contestant];
  const rate = (c: Contestant) => median(c.deliveriesPerSecond);
  const rows = contestants.map((c) => [
    c.server.name,
    rate(c).toFixed(0),
    (rate(c) / rate(stock)).toFixed(2),
    median(c.cpuMicrosPerDelivery).toFixed(2),
    (median(c.cpuMicrosPerDelivery) / median(stock.cpuMicrosPerDelivery)).toFixed(2),
    `${median(c.pacedP50Ms).toFixed(1)} / ${median(c.pacedP99Ms).toFixed(1)}`,
    median(c.pacedCpuMicrosPerDelivery).toFixed(2),
    String(c.lost),
  ]);
  const head = [
    `fan-out to ${sockets} sockets`,
    "deliveries/s",
    "× stock",
    "CPU µs each",
    "× stock",
    `p50 / p99 ms at ${EVENTS_PER_SECOND}/s`,
    "CPU µs each there",
    "lost",
  ];
  console.log(`${table(head, rows)}\n${rounds} interleaved rounds, medians; bursts of ${BURST_EVENTS} events.`);
  console.log(
    JSON.stringify({
      bench: "live fan-out",
      deliveriesToStock: Number((rate(exergy) / rate(stock)).toFixed(3)),
      cpuToStock: Number((median(exergy.cpuMicrosPerDelivery) / median(stock.cpuMicrosPerDelivery)).toFixed(3)),
      pacedP99Ms: Number(median(exergy.pacedP99Ms).toFixed(1)),
      lost: exergy.lost,
    }),
  );
}
