/** Opens PostgreSQL: one TypeORM DataSource for entities and migrations, and its pg pool for the hot statements. */
import "reflect-metadata";
import { Pool, type QueryResultRow } from "pg";
import { DataSource } from "typeorm";
import { entities } from "../../entities";
import { migrations } from "../../entities/migrations";
import { DatabaseNames } from "../../entities/naming";
import { DomainError } from "./errors";

export interface Queryable {
  /** A named statement is prepared once per connection; use it on hot paths. */
  query<Row extends QueryResultRow>(
    statement: { name: string; text: string },
    values: readonly unknown[],
  ): Promise<Row[]>;
}

export interface Database extends Queryable {
  readonly source: DataSource;
  /** One connection that is shared with nobody and never closed for idleness: what it has planned stays planned. */
  dedicated(name: string): Queryable;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly url: string;
  readonly poolMax?: number;
  readonly applicationName?: string;
}

/** Connects without migrating. Errors: those of pg (ECONNREFUSED, 28P01 …). */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const applicationName = options.applicationName ?? "exergy";
  const connection = {
    connectionString: options.url,
    // A dead server must show within the patience of a request, not after the kernel's two minutes.
    connectionTimeoutMillis: 2_000,
    keepAlive: true,
  };
  const source = await new DataSource({
    type: "postgres",
    url: options.url,
    entities: [...entities],
    migrations: [...migrations],
    migrationsTableName: "migration",
    namingStrategy: new DatabaseNames(),
    applicationName,
    poolSize: options.poolMax ?? 12,
    connectTimeoutMS: connection.connectionTimeoutMillis,
    parseInt8: false,
    // Opening a connection and planning on it anew costs tens of milliseconds: not after every ten quiet seconds.
    extra: { keepAlive: true, idleTimeoutMillis: 300_000 },
  }).initialize();
  const dedicated: Pool[] = [];
  return {
    source,
    ...queryable((source.driver as unknown as { master: Pool }).master),
    dedicated(name) {
      const pool = new Pool({
        ...connection,
        max: 1,
        idleTimeoutMillis: 0,
        application_name: `${applicationName} ${name}`,
      });
      // A connection that is lost while nobody waits for it is made anew for the next query.
      pool.on("error", () => undefined);
      dedicated.push(pool);
      return queryable(pool);
    },
    async close() {
      await Promise.all(dedicated.map((pool) => pool.end()));
      await source.destroy();
    },
  };
}

function queryable(pool: Pool): Queryable {
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

/** SQLSTATE classes and socket errors after which it is unknown whether the statement took effect. */
export function isConnectionLoss(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === "string") {
    if (/^(08|57P0[1-5]|53300)/.test(code)) return true;
    if (["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "ENOTFOUND", "EHOSTUNREACH"].includes(code)) return true;
  }
  const message = (error as { message?: unknown } | null)?.message;
  return (
    typeof message === "string" &&
    /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error/.test(
      message,
    )
  );
}

/** The error that edges show while the database is gone; other errors pass through. */
export function asUnavailable(error: unknown): unknown {
  if (!isConnectionLoss(error)) return error;
  return new DomainError("DATABASE_UNAVAILABLE", "The database cannot be reached at the moment; nothing was changed.", {
    cause: error,
  });
}
