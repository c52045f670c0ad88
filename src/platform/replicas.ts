/** Servers that follow the primary: watched for how far they are, and asked instead of it where that shows nobody an older state than its own writes. */
import { Pool, type QueryConfig, type QueryResult, type QueryResultRow } from "pg";
import { isConnectionLoss } from "./connection-loss";
import { baseOptions, type Connections, openConnections } from "./connections";
import { chooseReplica, type Lsn, PrimaryTrack, type ReplicaView, recordEnd, WriteFloors } from "./replica-choice";
import type { Acting } from "./tenancy";

const POLL_MS = 200;
/** A server that takes longer to say where it is counts as away. */
const POLL_TIMEOUT_MS = 1_000;

/** The primary's answer may be had: nothing took effect, and nothing of it is the statement's fault. */
const elsewhere = new Set([
  "25006", // read_only_sql_transaction: it writes after all
  "40001", // what it read was removed by the replay
  "40P01",
]);

interface Replica extends ReplicaView {
  replayed: Lsn | null;
  lagMs: number;
  readonly connections: Connections;
  readonly watch: Pool;
}

export interface ReplicaOptions {
  readonly urls: readonly string[];
  readonly poolMax: number;
  readonly applicationName: string;
  readonly primaryUrl: string;
}

export class Replicas {
  private readonly replicas: Replica[];
  private readonly primary: Pool;
  private readonly track = new PrimaryTrack();
  private readonly floors = new WriteFloors(() => performance.now());
  private readonly listeners = new Set<(tenantId: string, lsn: Lsn) => void>();
  private timer: NodeJS.Timeout | undefined;
  private polling: Promise<void> = Promise.resolve();
  private closed = false;

  constructor(options: ReplicaOptions) {
    const watchOf = (url: string) => watchPool(url, options.applicationName);
    this.primary = watchOf(options.primaryUrl);
    this.replicas = options.urls.map((url, index) => ({
      name: `replica ${index + 1}`,
      replayed: null,
      lagMs: Number.POSITIVE_INFINITY,
      connections: openConnections({ ...options, url, onLoss: () => this.isAway(index) }),
      watch: watchOf(url),
    }));
    this.poll();
  }

  /** As last seen, for metrics and for tests that wait. */
  get views(): readonly ReplicaView[] {
    return this.replicas.map(({ name, replayed, lagMs }) => ({ name, replayed, lagMs }));
  }

  /** Null: the primary has to answer, because nobody else may or can. Errors: those of the statement itself. */
  async read<Row extends QueryResultRow>(who: Acting, statement: QueryConfig): Promise<QueryResult<Row> | null> {
    const { id } = who.tenant;
    const replica = chooseReplica(this.replicas, this.floors.of(id), id ?? who.requestId);
    if (replica === null) return null;
    const client = await replica.connections.connect(who).catch(() => null);
    if (client === null) {
      replica.replayed = null;
      return null;
    }
    try {
      const result = await client.query<Row>(statement);
      client.release();
      return result;
    } catch (error) {
      const lost = isConnectionLoss(error) || (error as { code?: unknown }).code === undefined;
      client.release(lost);
      if (lost) replica.replayed = null;
      if (lost || elsewhere.has(String((error as { code?: unknown }).code))) return null;
      throw error;
    }
  }

  /** After a commit of `tenantId` on the primary. Never fails: what was committed is committed. */
  async committed(tenantId: string, primary: Connections, who: Acting): Promise<void> {
    const lsn = await insertPosition((statement) => primary.query(who, statement)).catch(() => null);
    this.floors.wrote(tenantId, lsn);
    if (lsn !== null) for (const listener of this.listeners) listener(tenantId, lsn);
  }

  /** Hears where tenants have written in this process, to tell the others. */
  onWrite(listener: (tenantId: string, lsn: Lsn) => void): void {
    this.listeners.add(listener);
  }

  /** A tenant has written in another process. */
  wroteElsewhere(tenantId: string, lsn: Lsn): void {
    this.floors.wrote(tenantId, lsn);
  }

  /** What is delivered to clients from now on was committed before `lsn`: no read may show less. Null: that is not known. */
  raiseFloor(lsn: Lsn | null): void {
    this.floors.raise(lsn);
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    await this.polling;
    const ends = this.replicas.flatMap(({ connections, watch }) => [connections.end(), watch.end()]);
    await Promise.all([...ends, this.primary.end()]);
  }

  private isAway(index: number): void {
    const replica = this.replicas[index];
    if (replica !== undefined) replica.replayed = null;
  }

  private poll(): void {
    this.polling = this.look().finally(() => {
      if (!this.closed) this.timer = setTimeout(() => this.poll(), POLL_MS).unref();
    });
  }

  /** The primary first: a replica that is where the primary was a moment ago is not behind. */
  private async look(): Promise<void> {
    const lsn = await insertPosition((statement) => this.primary.query(statement)).catch(() => null);
    if (lsn !== null) this.track.saw(performance.now(), lsn);
    await Promise.all(
      this.replicas.map(async (replica) => {
        replica.replayed = await replayPosition(replica.watch).catch(() => null);
        replica.lagMs = replica.replayed === null ? Number.POSITIVE_INFINITY : this.track.lagMs(replica.replayed);
      }),
    );
  }
}

function watchPool(url: string, applicationName: string): Pool {
  const pool = new Pool({
    ...baseOptions({ url, applicationName: `${applicationName} replication` }),
    max: 1,
    idleTimeoutMillis: 0,
    query_timeout: POLL_TIMEOUT_MS,
  });
  pool.on("error", () => undefined);
  return pool;
}

async function insertPosition(query: (statement: QueryConfig) => Promise<QueryResult<{ lsn: string }>>): Promise<Lsn> {
  const text = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::text AS lsn";
  const { rows } = await query({ name: "insert-position", text });
  return recordEnd(BigInt(rows[0]!.lsn));
}

/** Null of a server that follows nobody: one that was promoted goes its own way. */
async function replayPosition(watch: Pool): Promise<Lsn | null> {
  const { rows } = await watch.query<{ lsn: string | null }>({
    name: "replay-position",
    text: `SELECT CASE WHEN pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::text END AS lsn`,
  });
  const lsn = rows[0]?.lsn ?? null;
  return lsn === null ? null : BigInt(lsn);
}
