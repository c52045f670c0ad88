/** Opens PostgreSQL: one TypeORM DataSource for entities and migrations, and named statements for hot paths; requests run as their tenant on both. */
import "reflect-metadata";
import { EventEmitter } from "node:events";
import type { PoolClient, QueryConfig, QueryResult, QueryResultRow } from "pg";
import * as pg from "pg";
import { DataSource } from "typeorm";
import { entities } from "../../entities";
import { migrations } from "../../entities/migrations";
import { DatabaseNames } from "../../entities/naming";
import { baseOptions, type Connections, openConnections } from "./connections";
import { isRead } from "./replica-choice";
import { Replicas } from "./replicas";
import { type Acting, acting } from "./tenancy";

export { asUnavailable, isConnectionLoss } from "./connection-loss";

export interface Queryable {
  /** A named statement is prepared once per connection; use it on hot paths. */
  query<Row extends QueryResultRow>(
    statement: { name: string; text: string },
    values: readonly unknown[],
  ): Promise<Row[]>;
}

export interface Database extends Queryable {
  readonly source: DataSource;
  /** Null: there is only the primary. */
  readonly replicas: Replicas | null;
  /** One connection that is shared with nobody and never closed for idleness: what it has planned stays planned. Always the system's. */
  dedicated(name: string): Queryable;
  /** Call it after the commit of a transaction: from now on no replica shows its tenant less than this. */
  committed(): Promise<void>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly url: string;
  /** Streaming replicas of it, which may answer requests that say so. */
  readonly replicaUrls?: readonly string[];
  /** Connections of the system at most, and as many of tenants. */
  readonly poolMax?: number;
  readonly applicationName?: string;
}

/** Connects without migrating. Errors: those of pg (ECONNREFUSED, 28P01 …). */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { url, replicaUrls = [], poolMax = 12, applicationName = "exergy" } = options;
  const facade = new PoolFacade(
    (onLoss) => openConnections({ url, poolMax, applicationName, onLoss }),
    replicaUrls.length === 0 ? null : new Replicas({ urls: replicaUrls, poolMax, applicationName, primaryUrl: url }),
  );
  const { connections: primary, replicas } = facade;
  const source = await openSource(url, facade).catch(async (error: unknown) => {
    await Promise.all([primary.end(), replicas?.close()]);
    throw error;
  });
  const dedicated: pg.Pool[] = [];
  return {
    source,
    replicas,
    async query<Row extends QueryResultRow>(statement: QueryConfig & { name: string }, values: readonly unknown[]) {
      const { rows } = await facade.query<Row>(acting(), { ...statement, values: values as unknown[] });
      return rows;
    },
    dedicated(name) {
      const base = baseOptions({ url, applicationName: `${applicationName} ${name}` });
      const pool = new pg.Pool({ ...base, max: 1, idleTimeoutMillis: 0 });
      // A connection that is lost while nobody waits for it is made anew for the next query.
      pool.on("error", () => undefined);
      dedicated.push(pool);
      return queryable(pool);
    },
    async committed() {
      const who = acting();
      if (replicas !== null && who?.tenant.id != null) await replicas.committed(who.tenant.id, primary, who);
    },
    async close() {
      await Promise.all(dedicated.map((pool) => pool.end()));
      await source.destroy();
      await Promise.all([primary.end(), replicas?.close()]);
    },
  };
}

/** By this host TypeORM asks for the pool that it takes reads from; nothing is ever looked up by it. */
const READS_HOST = "reads";

function openSource(url: string, facade: PoolFacade): Promise<DataSource> {
  return new DataSource({
    type: "postgres",
    url,
    // It takes a pool of ours for its own, so that entities and named statements share connections and behalf.
    driver: {
      ...pg,
      Pool: givenPools(facade),
    },
    // It then runs selects outside transactions on another "pool", whose statements may go to a replica.
    ...(facade.replicas === null ? {} : { replication: { master: { url }, slaves: [{ host: READS_HOST }] } }),
    entities: [...entities],
    migrations: [...migrations],
    migrationsTableName: "migration",
    namingStrategy: new DatabaseNames(),
    parseInt8: false,
  }).initialize();
}

/** TypeORM says `new Pool(credentials)`: what a function returns then is the result. */
function givenPools(facade: PoolFacade) {
  return function pool({ host }: { host?: string }) {
    return host === READS_HOST ? facade.reads : facade;
  };
}

type Connected = (error: unknown, client?: unknown, release?: (error?: Error | boolean) => void) => void;

/** What TypeORM takes for a pool: each connection is the one for whoever acts at the moment of the call. */
class PoolFacade extends EventEmitter {
  readonly connections: Connections;
  /** The same for selects that stand alone. */
  readonly reads = Object.assign(new EventEmitter(), {
    connect: (done: Connected) => done(undefined, this.reader(acting()), () => undefined),
    end: (done: () => void) => done(),
  });

  constructor(
    open: (onLoss: (error: Error) => void) => Connections,
    readonly replicas: Replicas | null,
  ) {
    super();
    this.connections = open((error) => {
      if (this.listenerCount("error") > 0) this.emit("error", error);
    });
  }

  connect(done: Connected): void {
    const given = (client: PoolClient) => done(undefined, client, (error) => client.release(error));
    this.connections.connect(acting()).then(given, (error) => done(error));
  }

  /** The connections outlive the DataSource: they are closed by whoever opened them. */
  end(done: () => void): void {
    done();
  }

  async query<Row extends QueryResultRow>(who: Acting | undefined, statement: QueryConfig): Promise<QueryResult<Row>> {
    const { replicas } = this;
    if (who === undefined || replicas === null) return this.connections.query<Row>(who, statement);
    const reads = isRead(statement.text);
    const read = reads && who.reads === "replica" ? await replicas.read<Row>(who, statement) : null;
    if (read !== null) return read;
    const result = await this.connections.query<Row>(who, statement);
    if (!reads && who.tenant.id !== null) await replicas.committed(who.tenant.id, this.connections, who);
    return result;
  }

  /** Holds no connection between its statements. */
  private reader(who: Acting | undefined) {
    return Object.assign(new EventEmitter(), {
      query: (text: string, values?: unknown[]) => this.query(who, { text, ...(values ? { values } : {}) }),
    });
  }
}

function queryable(pool: pg.Pool): Queryable {
  return {
    async query<Row extends QueryResultRow>(statement: { name: string; text: string }, values: readonly unknown[]) {
      const result = await pool.query<Row>({ ...statement, values: values as unknown[] });
      return result.rows;
    },
  };
}

/** Applies what is missing, each migration in a transaction of its own; returns the names applied. */
export async function migrate(database: Database): Promise<string[]> {
  const applied = await database.source.runMigrations({ transaction: "each" });
  return applied.map((migration) => migration.name);
}
