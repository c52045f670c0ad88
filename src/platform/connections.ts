/** The connections to one PostgreSQL server: the system's own, and those of tenants, which are told for whom they run before every use. */
import { Pool, type PoolClient, type PoolConfig, type QueryConfig, type QueryResult, type QueryResultRow } from "pg";
import { TENANT_ROLE } from "../../entities/row-policies";
import type { Acting, Tenant } from "./tenancy";

/** A request's statement that takes longer is ended by the server. */
const TENANT_STATEMENT_TIMEOUT_MS = 15_000;

/**
 * `who` is an argument, never read here: pg-pool runs a waiting caller's callback in the context of whoever gives a
 * connection back, and what that one acts as must not become the waiting one's.
 */
export interface Connections {
  /** Whoever takes a connection keeps it until `release`: a transaction runs on one behalf from its start to its end. */
  connect(who: Acting | undefined): Promise<PoolClient>;
  query<Row extends QueryResultRow>(who: Acting | undefined, statement: QueryConfig): Promise<QueryResult<Row>>;
  end(): Promise<void>;
}

export interface ConnectionOptions {
  readonly url: string;
  /** Of the system's connections, and of the tenants' again. */
  readonly poolMax: number;
  readonly applicationName: string;
  /** Hears of connections that were lost while nobody used them; they are made anew. */
  readonly onLoss: (error: Error) => void;
}

export function baseOptions({ url, applicationName }: Pick<ConnectionOptions, "url" | "applicationName">): PoolConfig {
  return {
    connectionString: url,
    application_name: applicationName,
    // A dead server must show within the patience of a request, not after the kernel's two minutes.
    connectionTimeoutMillis: 2_000,
    keepAlive: true,
  };
}

/** Opens nothing yet: a pool connects when it is asked. */
export function openConnections(options: ConnectionOptions): Connections {
  // Opening a connection and planning on it anew costs tens of milliseconds: not after every ten quiet seconds.
  const shared = { ...baseOptions(options), max: options.poolMax, idleTimeoutMillis: 300_000 };
  const system = watched(new Pool(shared), options.onLoss);
  const tenants = watched(
    new Pool({
      ...shared,
      connectionString: asTenantRole(options.url),
      application_name: `${options.applicationName} tenants`,
      statement_timeout: TENANT_STATEMENT_TIMEOUT_MS,
    }),
    options.onLoss,
  );
  const connect = (who: Acting | undefined) => (who === undefined ? clean(system) : toldClient(tenants, who.tenant));
  return {
    connect,
    async query<Row extends QueryResultRow>(who: Acting | undefined, statement: QueryConfig) {
      if (who === undefined) return system.query<Row>(statement);
      const client = await connect(who);
      try {
        const result = await client.query<Row>(statement);
        client.release();
        return result;
      } catch (error) {
        client.release(isRefusal(error) ? undefined : (error as Error));
        throw error;
      }
    },
    async end() {
      await Promise.all([system.end(), tenants.end()]);
    },
  };
}

/** A lost connection is an error of whoever uses it at that moment; unheard, it would end the process. */
function watched(pool: Pool, onLoss: (error: Error) => void): Pool {
  pool.on("connect", (client) => client.on("error", () => undefined));
  pool.on("error", onLoss);
  return pool;
}

/**
 * The role comes with the start of the session: a connection either has it or does not exist, and RESET ROLE goes back
 * to it, not to the login's.
 */
function asTenantRole(url: string): string {
  const changed = new URL(url);
  const given = changed.searchParams.get("options");
  changed.searchParams.set("options", [...(given ? [given] : []), `-c role=${TENANT_ROLE}`].join(" "));
  return changed.href;
}

/** Whom a connection was last told of. A session's setting, so it stays told until it is told otherwise. */
const told = new WeakMap<PoolClient, string>();

const tell = {
  name: "tell-tenant",
  text: `SELECT current_user AS role, set_config('exergy.tenant_id', $1, false), set_config('exergy.sees_all', $2, false)`,
};

async function toldClient(pool: Pool, tenant: Tenant): Promise<PoolClient> {
  const client = await clean(pool);
  try {
    await tellTenant(client, tenant);
    return client;
  } catch (error) {
    // Nobody knows what this one would run as.
    client.release(error as Error);
    throw error;
  }
}

async function tellTenant(client: PoolClient, { id, seesAll }: Tenant): Promise<void> {
  const key = `${id ?? ""} ${seesAll}`;
  if (told.get(client) === key) return;
  told.delete(client);
  const { rows } = await client.query<{ role: string }>({ ...tell, values: [id ?? "", seesAll ? "on" : "off"] });
  if (rows[0]?.role !== TENANT_ROLE) throw new Error(`a tenant's connection runs as ${rows[0]?.role}`);
  told.set(client, key);
}

/** One that was given back inside a transaction is not used again: the rollback to come would also take back what it was told. */
async function clean(pool: Pool): Promise<PoolClient> {
  for (;;) {
    const client = await pool.connect();
    if (client.getTransactionStatus() === "I") return client;
    client.release(true);
  }
}

/** The server answered with an SQLSTATE: the connection is as good as before. */
function isRefusal(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) && !/^(08|57P)/.test(code);
}
