/** The API against Mercurius and Apollo Server on the same schema, services and rows, in one run, interleaved. */
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../src/platform/embedded-postgres";
import { median, percentile, table } from "./figures";
import { askOnce, closedLoop, graphqlRequest } from "./keep-alive";
import { installPeers } from "./peers";
import { cpuMicros, type Entrant, pinSelf, startEntrant } from "./processes";
import type { RowsAt } from "./rows";
import type { Supply, SupplyWanted } from "./supply";

const ENTRANT_CORE = 0;
const LOAD_CORE = 1;
const CLIENTS = 20;
/** With their provider 100 rows. */
const SUPPLY: SupplyWanted = { endpoints: 33, offerings: 2, keys: 1 };

/** 50 rows × 8 fields. */
const LIST = `query List {
  offerings(first: 50) {
    nodes { id model upstreamModel architecture contextLength maxOutputTokens state version }
  }
}`;
/** A provider's own view, 3 levels: itself, 33 endpoints, 66 offerings. */
const DASHBOARD = `query Dashboard {
  providers(first: 1) {
    nodes {
      id name createdAt
      endpoints {
        id name state region slots
        accelerator { code name }
        offerings { id model state contextLength }
      }
    }
  }
}`;

const trials = {
  "list, rows at hand": { query: LIST, rows: "hand" },
  "list, rows from PostgreSQL": { query: LIST, rows: "postgres" },
  "nested dashboard, PostgreSQL": { query: DASHBOARD, rows: "postgres" },
} as const satisfies Record<string, { query: string; rows: RowsAt }>;
type Trial = keyof typeof trials;
const trialNames = Object.keys(trials) as Trial[];

interface Figures {
  readonly requestsPerSecond: number[];
  readonly p50Ms: number[];
  readonly p99Ms: number[];
  readonly cpuMicrosPerRequest: number[];
  failures: number;
}

interface Contestant {
  readonly name: string;
  readonly url: URL;
  readonly entrant: Entrant;
  figures: Record<Trial, Figures>;
}

export async function benchGraphql(args: readonly string[]): Promise<void> {
  const setting = args.includes("--quick") ? { rounds: 1, roundMs: 600 } : { rounds: 7, roundMs: 2_500 };
  installPeers();
  const directory = mkdtempSync(join(tmpdir(), "exergy-bench-"));
  // PostgreSQL first: it stays free to run on either core, only the entrants and the load are pinned.
  const postgres = await startEmbeddedPostgres(directory);
  const pinned = pinSelf(LOAD_CORE);
  const entrants: Entrant[] = [];
  try {
    const { contestants, key } = await open(directory, postgres, entrants);
    await compareAnswers(contestants, key);
    const statements = await countStatements(contestants[0]!, key);
    for (const trial of trialNames)
      for (const contestant of contestants) await measure(contestant, trial, key, Math.min(setting.roundMs, 1_500));
    for (const contestant of contestants) contestant.figures = noFigures();
    for (let round = 0; round < setting.rounds; round++)
      for (const trial of trialNames)
        for (const contestant of contestants) await measure(contestant, trial, key, setting.roundMs);
    report(contestants, statements, setting.rounds, pinned);
  } finally {
    await Promise.all(entrants.map((entrant) => entrant.stop()));
    await postgres.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function open(directory: string, postgres: EmbeddedPostgres, entrants: Entrant[]) {
  const start = async (script: string, argument: string) => {
    const entrant = startEntrant(join(__dirname, `entrants/${script}.js`), [argument], {
      core: ENTRANT_CORE,
      environment: apiEnvironment(postgres.url, join(directory, "data")),
    });
    entrants.push(entrant);
    return { entrant, opened: await entrant.next<{ url: string } & Supply>() };
  };
  const exergy = await start("exergy", JSON.stringify(SUPPLY));
  const key = exergy.opened.keys[0]!;
  const contestants = [contestant("Exergy", exergy.entrant, exergy.opened.url)];
  for (const [name, script] of [
    ["Mercurius + JIT", "mercurius"],
    ["Apollo + Express", "apollo-express"],
    ["Apollo + node:http", "apollo-http"],
  ] as const) {
    const { entrant, opened } = await start(script, key);
    contestants.push(contestant(name, entrant, opened.url));
  }
  return { contestants, key };
}

/** Of one process that serves the API; all share a pepper by its directory, so that all know the key. */
export function apiEnvironment(databaseUrl: string, dataDirectory: string): NodeJS.ProcessEnv {
  return {
    NODE_ENV: "production",
    ROLES: "api",
    DATABASE_URL: databaseUrl,
    DATA_DIR: dataDirectory,
    // Far more than one key is allowed: it is counted all the same.
    GRAPHQL_POINTS_PER_MINUTE: "1000000000",
    PORT: "0",
    RELAY_PORT: "0",
    PUBLIC_URL: "http://localhost:4000",
    LOG_LEVEL: "warn",
  };
}

function contestant(name: string, entrant: Entrant, url: string): Contestant {
  return { name, url: new URL(url), entrant, figures: noFigures() };
}

function noFigures(): Record<Trial, Figures> {
  const none = () => ({ requestsPerSecond: [], p50Ms: [], p99Ms: [], cpuMicrosPerRequest: [], failures: 0 });
  return Object.fromEntries(trialNames.map((trial) => [trial, none()])) as unknown as Record<Trial, Figures>;
}

async function measure(contestant: Contestant, trial: Trial, key: string, durationMs: number): Promise<void> {
  const { query, rows } = trials[trial];
  await contestant.entrant.ask({ do: "rows", at: rows });
  const pid = contestant.entrant.child.pid!;
  const before = cpuMicros(pid);
  const request = graphqlRequest(contestant.url, key, query);
  const run = await closedLoop(contestant.url, request, { clients: CLIENTS, durationMs });
  const after = cpuMicros(pid);
  const figures = contestant.figures[trial];
  figures.requestsPerSecond.push(run.requests / run.seconds);
  figures.p50Ms.push(percentile(run.latenciesMs, 0.5));
  figures.p99Ms.push(percentile(run.latenciesMs, 0.99));
  if (before !== null && after !== null) figures.cpuMicrosPerRequest.push((after - before) / Math.max(1, run.requests));
  figures.failures += run.failures;
}

/** Errors: when an entrant answers other data than the first. */
async function compareAnswers(contestants: readonly Contestant[], key: string): Promise<void> {
  for (const trial of trialNames) {
    const answers: string[] = [];
    for (const { entrant, url, name } of contestants) {
      await entrant.ask({ do: "rows", at: trials[trial].rows });
      const { status, body } = await askOnce(url, graphqlRequest(url, key, trials[trial].query));
      const { data } = JSON.parse(body.toString()) as { data?: Record<string, { nodes: unknown[] } | null> | null };
      if (status !== 200 || !data || Object.values(data).some((field) => !field?.nodes.length))
        throw new Error(`${name} answers "${trial}" with ${status}: ${body.toString().slice(0, 500)}`);
      answers.push(JSON.stringify(data));
      if (answers.at(-1) !== answers[0]) throw new Error(`${name} answers "${trial}" with other data than Exergy`);
    }
  }
}

/** Of one dashboard operation, warm: the fewest of ten, since the process's own housekeeping may come between. */
async function countStatements({ entrant, url }: Contestant, key: string): Promise<string[]> {
  await entrant.ask({ do: "rows", at: "postgres" });
  const counts: string[][] = [];
  for (let n = 0; n < 10; n++) {
    await entrant.ask({ do: "log" });
    await askOnce(url, graphqlRequest(url, key, DASHBOARD));
    counts.push(await entrant.ask<string[]>({ do: "logged" }));
  }
  return counts.reduce((least, texts) => (texts.length < least.length ? texts : least));
}

function report(contestants: readonly Contestant[], statements: readonly string[], rounds: number, pinned: boolean) {
  const [exergy, mercurius, express] = contestants as [Contestant, Contestant, Contestant];
  const rate = (c: Contestant, trial: Trial) => median(c.figures[trial].requestsPerSecond);
  for (const trial of trialNames) {
    const rows = contestants.map((c) => {
      const figures = c.figures[trial];
      return [
        c.name,
        rate(c, trial).toFixed(0),
        (rate(c, trial) / rate(mercurius, trial)).toFixed(2),
        (rate(c, trial) / rate(express, trial)).toFixed(2),
        median(figures.p50Ms).toFixed(2),
        median(figures.p99Ms).toFixed(2),
        figures.cpuMicrosPerRequest.length === 0 ? "–" : median(figures.cpuMicrosPerRequest).toFixed(0),
        String(figures.failures),
      ];
    });
    const head = [trial, "req/s", "× Mercurius", "× Apollo", "p50 ms", "p99 ms", "CPU µs/req", "failed"];
    console.log(`${table(head, rows)}\n`);
  }
  console.log(`The dashboard takes ${statements.length} statements:`);
  for (const text of statements) console.log(`  ${text.replace(/\s+/g, " ").slice(0, 140)}`);
  console.log(
    `\n${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown CPU"}, Node ${process.version}; ${CLIENTS} clients, ${rounds} interleaved rounds, medians; ` +
      `${pinned ? "entrant on core 0, load on core 1, PostgreSQL on either" : "not pinned"}; fsync on; only Exergy checks keys, limits and cost.`,
  );
  console.log(
    JSON.stringify({
      bench: "graphql",
      listToMercurius: ratio(rate(exergy, "list, rows at hand") / rate(mercurius, "list, rows at hand")),
      listToApollo: ratio(rate(exergy, "list, rows at hand") / rate(express, "list, rows at hand")),
      listPostgresToMercurius: ratio(
        rate(exergy, "list, rows from PostgreSQL") / rate(mercurius, "list, rows from PostgreSQL"),
      ),
      listPostgresToApollo: ratio(
        rate(exergy, "list, rows from PostgreSQL") / rate(express, "list, rows from PostgreSQL"),
      ),
      dashboardP99Ms: ratio(median(exergy.figures["nested dashboard, PostgreSQL"].p99Ms)),
      dashboardStatements: statements.length,
      failed: trialNames.reduce((sum, trial) => sum + exergy.figures[trial].failures, 0),
    }),
  );
}

const ratio = (value: number): number => Number(value.toFixed(3));
