/** Captures a second of the ledger against booking them one by one, on one server in one run; and what a hold, a settlement and a block take. */
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Client } from "pg";
import { drift } from "../src/ledger/drift";
import { startEmbeddedPostgres } from "../src/platform/embedded-postgres";
import { percentile, table } from "./figures";
import { BareLedger } from "./ledger-batches";
import { timeBlocks } from "./ledger-blocks";
import { giveBudgets } from "./ledger-budgets";
import { NaiveLedger } from "./ledger-naive";
import { coldHolds, flood, keepAlive, stream, type Traffic, warmHolds } from "./ledger-traffic";
import { anotherRelay, type LedgerWorld, openLedgerWorld } from "./ledger-world";

interface Setting {
  readonly naiveMs: number;
  readonly batchesMs: number;
  readonly floodMs: number;
  readonly streamMs: number;
  readonly warmHolds: number;
  readonly coldHolds: number;
}

const full: Setting = {
  naiveMs: 6_000,
  batchesMs: 6_000,
  floodMs: 15_000,
  streamMs: 8_000,
  warmHolds: 200_000,
  coldHolds: 1_000,
};
const quick: Setting = {
  naiveMs: 1_500,
  batchesMs: 1_500,
  floodMs: 4_000,
  streamMs: 2_000,
  warmHolds: 20_000,
  coldHolds: 200,
};

const STARTUPS = 64;
/** Before anything is counted: connections, prepared statements, compiled code, leases. */
const WARM_UP_MS = 1_000;
const NAIVE_CLIENTS = [1, 8, 32] as const;
const BATCHES = [1, 256] as const;
const IN_FLIGHT = 512;
const BLOCKS = 100;

/** One line of the table. */
interface Row {
  readonly name: string;
  readonly perSecond: number | null;
  readonly latencies: readonly number[];
  readonly unit: "ms" | "µs";
}

export async function benchLedger(args: readonly string[]): Promise<void> {
  const setting = args.includes("--quick") ? quick : full;
  // Not made by mkdtemp: PostgreSQL's user could not get in, and its data would be put elsewhere.
  const root = join(tmpdir(), `exergy-bench-${randomBytes(6).toString("hex")}`);
  mkdirSync(root);
  const server = await startEmbeddedPostgres(root);
  try {
    const durability = await requireDurable(server.url);
    const naive = await benchNaive(await newDatabase(server.url, "naive"), setting);
    const bare = await benchBatches(await newDatabase(server.url, "batches"), setting);
    const ours = await benchMetering(await newDatabase(server.url, "metering"), setting);
    report({ naive, bare, ...ours }, durability);
  } finally {
    await server.stop();
    for (const place of [dirname(server.directory), root]) rmSync(place, { recursive: true, force: true });
  }
}

/** The table comes when all is measured: until then, where it is. */
const step = (what: string) => console.error(`${new Date().toISOString().slice(11, 19)} ${what}`);

/** A ledger that forgets is fast. Errors: when a commit would be answered before it is on disk. */
async function requireDurable(url: string): Promise<string> {
  const names = ["fsync", "synchronous_commit", "full_page_writes"];
  const settings = await onServer(url, async (client) => {
    const found: string[] = [];
    for (const name of names) found.push((await client.query(`SHOW ${name}`)).rows[0][name]);
    return found;
  });
  if (settings.some((value) => value !== "on")) throw new Error(`not durable: ${names.join()} are ${settings.join()}`);
  return names.map((name, index) => `${name} ${settings[index]}`).join(", ");
}

async function newDatabase(serverUrl: string, name: string): Promise<string> {
  await onServer(serverUrl, (client) => client.query(`CREATE DATABASE ${name}`));
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

async function onServer<Result>(url: string, work: (client: Client) => Promise<Result>): Promise<Result> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function benchNaive(url: string, { naiveMs }: Setting): Promise<Row[]> {
  step("one by one");
  const world = await openLedgerWorld(url, STARTUPS);
  const ledger = new NaiveLedger(world);
  await ledger.open(new Date().toISOString().slice(0, 7));
  let booked = (await ledger.run(url, { clients: 8, durationMs: WARM_UP_MS })).captures;
  const rows: Row[] = [];
  for (const clients of NAIVE_CLIENTS) {
    const { captures, seconds, tookMs } = await ledger.run(url, { clients, durationMs: naiveMs });
    booked += captures;
    const name = `one transaction per capture, ${clients} client${clients === 1 ? "" : "s"}`;
    rows.push({ name, perSecond: captures / seconds, latencies: tookMs, unit: "ms" });
  }
  await checkBooks(world, booked);
  await world.close();
  return rows;
}

async function benchBatches(url: string, { batchesMs }: Setting): Promise<Row[]> {
  step("bare batches");
  const world = await openLedgerWorld(url, STARTUPS);
  const ledger = await BareLedger.open(world, url);
  let booked = (await ledger.run({ batch: 64, durationMs: WARM_UP_MS })).captures;
  const rows: Row[] = [];
  for (const batch of BATCHES) {
    const { captures, seconds, tookMs } = await ledger.run({ batch, durationMs: batchesMs });
    booked += captures;
    rows.push({
      name: `metering_commit alone, ${batch} a batch`,
      perSecond: captures / seconds,
      latencies: tookMs,
      unit: "ms",
    });
  }
  await checkBooks(world, booked);
  await ledger.close();
  await world.close();
  return rows;
}

async function benchMetering(url: string, setting: Setting) {
  const world = await openLedgerWorld(url, STARTUPS + 2 * BLOCKS);
  const loaded = { ...world, startupIds: world.startupIds.slice(0, STARTUPS) };
  const { metering } = world.services;
  const other = await anotherRelay(world, url);
  const relays = [metering, other.metering];
  const end = keepAlive(relays);
  step("metering: warm-up and flood");
  const warmUp = await flood(loaded, metering, { inFlight: IN_FLIGHT, durationMs: WARM_UP_MS });
  const peak = await flood(loaded, metering, { inFlight: IN_FLIGHT, durationMs: setting.floodMs });
  const halfPeak = Math.round(peak.captures / peak.seconds / 2);
  const half = await stream(loaded, metering, { perSecond: halfPeak, durationMs: setting.streamMs });
  step("holds");
  const warm = await warmHolds(loaded, metering, setting.warmHolds);
  const cold = await coldHolds(loaded, metering, setting.coldHolds);
  step("holds under budgets");
  const keys = await giveBudgets(loaded);
  const warmUnderBudgets = await warmHolds(loaded, metering, setting.warmHolds, keys);
  const coldUnderBudgets = await coldHolds(loaded, metering, setting.coldHolds, keys);
  const quiet = world.startupIds.slice(STARTUPS, STARTUPS + BLOCKS);
  step("blocks");
  const blocks = await timeBlocks(world, relays, quiet);
  const underLoad = await blocksUnderLoad(world, loaded, relays, Math.round(halfPeak / 2));
  end();
  step("checking the books");
  const all = [warmUp, peak, half, underLoad.traffic];
  await checkBooks(
    world,
    all.reduce((sum, { captures }) => sum + captures, 0),
  );
  await other.close();
  await world.close();
  const budgeted = { warmUnderBudgets, coldUnderBudgets };
  return { peak, half, warm, cold, ...budgeted, blocks, blocksUnderLoad: underLoad.blocks };
}

async function blocksUnderLoad(
  world: LedgerWorld,
  loaded: LedgerWorld,
  relays: Parameters<typeof timeBlocks>[1],
  perSecond: number,
): Promise<{ traffic: Traffic; blocks: number[] }> {
  let blocks: number[] | null = null;
  const blocking = timeBlocks(world, relays, world.startupIds.slice(STARTUPS + BLOCKS)).then((took) => {
    blocks = took;
  });
  const traffic: Traffic[] = [];
  while (blocks === null) traffic.push(await stream(loaded, relays[0]!, { perSecond, durationMs: 250 }));
  await blocking;
  const captures = traffic.reduce((sum, one) => sum + one.captures, 0);
  return { traffic: { ...traffic[0]!, captures }, blocks };
}

/** What was measured was booked: as many records as captures, and counters that are the sum of their transfers. */
async function checkBooks({ db }: LedgerWorld, captures: number): Promise<void> {
  const [{ n }]: [{ n: string }] = await db.source.query("SELECT count(*) AS n FROM usage_record");
  if (Number(n) !== captures) throw new Error(`${captures} captures, ${n} records`);
  const off = await drift(db);
  if (off.length > 0) throw new Error(`the books do not balance: ${off.map(({ name }) => name).join(", ")}`);
}

type Figures = Awaited<ReturnType<typeof benchMetering>> & { naive: readonly Row[]; bare: readonly Row[] };

function report({ naive, bare, peak, half, warm, cold, ...blocks }: Figures, durability: string): void {
  const best = Math.max(...naive.map(({ perSecond }) => perSecond!));
  const rate = ({ captures, seconds }: Traffic) => captures / seconds;
  const rows: Row[] = [
    ...naive,
    ...bare,
    {
      name: `metering, ${IN_FLIGHT} in flight: a settlement`,
      perSecond: rate(peak),
      latencies: peak.settleMs,
      unit: "ms",
    },
    { name: "metering, half of that load: a settlement", perSecond: rate(half), latencies: half.settleMs, unit: "ms" },
    { name: "a hold out of a lease", perSecond: null, latencies: warm, unit: "µs" },
    { name: "a hold in the ledger", perSecond: null, latencies: cold, unit: "ms" },
    {
      name: "a hold out of a lease, under two budgets",
      perSecond: null,
      latencies: blocks.warmUnderBudgets,
      unit: "µs",
    },
    {
      name: "a hold in the ledger, under two budgets",
      perSecond: null,
      latencies: blocks.coldUnderBudgets,
      unit: "ms",
    },
    {
      name: `a block, ${BLOCKS} of them, two relays with leases`,
      perSecond: null,
      latencies: blocks.blocks,
      unit: "ms",
    },
    { name: "the same, at a quarter of the load", perSecond: null, latencies: blocks.blocksUnderLoad, unit: "ms" },
  ];
  const at = ({ latencies, unit }: Row, share: number) => `${percentile(latencies, share).toFixed(2)} ${unit}`;
  console.log(
    table(
      ["what", "captures/s", "× best one by one", "p50", "p99"],
      rows.map((row) => [
        row.name,
        row.perSecond?.toFixed(0) ?? "–",
        row.perSecond === null ? "–" : (row.perSecond / best).toFixed(2),
        at(row, 0.5),
        at(row, 0.99),
      ]),
    ),
  );
  console.log(
    `\n${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown CPU"}, Node ${process.version}; embedded PostgreSQL, ${durability}; ` +
      `clients and database on the same cores; ${STARTUPS} startups; ${peak.cold + half.cold} of ${peak.captures + half.captures} requests ` +
      "without a lease; the books balance.",
  );
  console.log(JSON.stringify(closingLine({ best, bare, peak, half, warm, cold, ...blocks })));
}

function closingLine(figures: Omit<Figures, "naive"> & { best: number }) {
  const { best, bare, peak, half, warm, cold, blocks, blocksUnderLoad } = figures;
  const perSecond = peak.captures / peak.seconds;
  const both = (values: readonly number[]) => [0.5, 0.99].map((share) => Number(percentile(values, share).toFixed(2)));
  return {
    bench: "ledger",
    capturesPerSecond: Math.round(perSecond),
    sustainedSeconds: Math.round(peak.seconds),
    bestOneByOnePerSecond: Math.round(best),
    ratioToOneByOne: Number((perSecond / best).toFixed(2)),
    bareBatchesPerSecond: Math.round(bare.at(-1)!.perSecond!),
    settleMsAtPeak: both(peak.settleMs),
    settleMsAtHalf: both(half.settleMs),
    holdMicros: both(warm),
    ledgerHoldMs: both(cold),
    holdMicrosUnderBudgets: both(figures.warmUnderBudgets),
    ledgerHoldMsUnderBudgets: both(figures.coldUnderBudgets),
    blockMs: both(blocks),
    blockMsUnderLoad: both(blocksUnderLoad),
  };
}
