/** Streams to many sockets: fan-out against stock graphql-ws, what an idle subscriber costs, what a stalled one does to others. */
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbeddedPostgres } from "../src/platform/embedded-postgres";
import { apiEnvironment } from "./graphql";
import { fanOut } from "./live-fan-out";
import { idleSubscribers } from "./live-idle";
import { stalledClient } from "./live-stalled";
import { type Entrant, pinSelf, startEntrant } from "./processes";
import type { Supply } from "./supply";

const SERVER_CORE = 0;
const LOAD_CORE = 1;
const KEYS = 250;

/** Latest values of endpoints; no field of it asks the database. */
export const STREAM =
  "subscription Live { utilization { at listedGpus slots inFlight soldGpuSeconds activeGpuSeconds fill utilization } }";

/** A server with what is needed to follow it. */
export interface LiveServer {
  readonly name: string;
  readonly url: string;
  readonly keys: readonly string[];
  readonly entrant: Entrant;
}

export interface LiveBench {
  /** A fresh Exergy; the first is a peer's source of keys. */
  exergy(): Promise<LiveServer>;
  stock(keys: readonly string[]): Promise<LiveServer>;
  followers(server: LiveServer): Promise<Entrant>;
  stop(entrant: Entrant): Promise<void>;
}

export async function benchLive(args: readonly string[]): Promise<void> {
  const quick = args.includes("--quick");
  const minutes = Number(args[args.indexOf("--minutes") + 1] ?? 1) || 1;
  const parts = ["fan-out", "idle", "stalled"].filter((part) => args.includes(part));
  const wanted = (part: string) => parts.length === 0 || parts.includes(part);
  const directory = mkdtempSync(join(tmpdir(), "exergy-bench-"));
  const postgres = await startEmbeddedPostgres(directory);
  const pinned = pinSelf(LOAD_CORE);
  const running = new Set<Entrant>();
  try {
    const bench = openBench(postgres.url, directory, running);
    if (wanted("fan-out"))
      await fanOut(
        bench,
        quick
          ? { sockets: 200, rounds: 1, burstMs: 1_000, pacedMs: 2_000 }
          : { sockets: 1_000, rounds: 5, burstMs: 3_000, pacedMs: 5_000 },
      );
    if (wanted("idle")) await idleSubscribers(bench, quick ? { subscribers: 1_000 } : { subscribers: 10_000 });
    if (wanted("stalled")) await stalledClient(bench, { durationMs: quick ? 8_000 : minutes * 60_000 });
  } finally {
    await Promise.all([...running].map((entrant) => entrant.stop()));
    await postgres.stop();
    rmSync(directory, { recursive: true, force: true });
  }
  console.log(
    `${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown CPU"}, Node ${process.version}; ` +
      `${pinned ? "server on core 0, followers on core 1" : "not pinned"}; perMessageDeflate off.`,
  );
}

function openBench(databaseUrl: string, directory: string, running: Set<Entrant>): LiveBench {
  const start = (script: string, argument: string, core: number, nodeOptions: readonly string[] = []) => {
    const entrant = startEntrant(join(__dirname, `entrants/${script}.js`), [argument], {
      core,
      environment: apiEnvironment(databaseUrl, join(directory, "data")),
      nodeOptions,
    });
    running.add(entrant);
    return entrant;
  };
  return {
    async exergy() {
      const entrant = start("exergy", JSON.stringify({ endpoints: 0, offerings: 0, keys: KEYS }), SERVER_CORE, [
        "--expose-gc",
      ]);
      const { url, keys } = await entrant.next<{ url: string } & Supply>();
      return { name: "Exergy", url, keys, entrant };
    },
    async stock(keys) {
      const entrant = start("stock-graphql-ws", keys[0]!, SERVER_CORE);
      const { url } = await entrant.next<{ url: string }>();
      return { name: "graphql-ws as it comes", url, keys, entrant };
    },
    async followers({ url, keys }) {
      const entrant = start("followers", JSON.stringify({ url, keys, query: STREAM }), LOAD_CORE);
      await entrant.next();
      return entrant;
    },
    async stop(entrant) {
      await entrant.stop();
      running.delete(entrant);
    },
  };
}
