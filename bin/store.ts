/** Opens what must be there before any room: the database that the configuration names, and the secret that keys are hashed with. */
import type { Config } from "../src/platform/config";
import { type Database, migrate, openDatabase } from "../src/platform/database";
import { startEmbeddedPostgres } from "../src/platform/embedded-postgres";
import type { Log } from "../src/platform/log";
import { openSecrets } from "../src/platform/secrets";
import type { Shutdown } from "../src/platform/shutdown";
import { inTurn } from "../src/platform/turn";

export interface Store {
  readonly db: Database;
  readonly url: string;
  readonly kind: "embedded" | "external";
  /** Names of the migrations that were applied now. */
  readonly migrated: readonly string[];
}

const CONNECTIONS_MAX = 100;
/** Beside its share of DATABASE_POOL_MAX: for settlements, for leases, and some of tenants. */
const CONNECTIONS_PER_RELAY = 6;

/** Connected and migrated. Errors: EmbeddedPostgresError, those of pg. */
export async function openStore(config: Config, log: Log, shutdown: Pick<Shutdown, "add">): Promise<Store> {
  const { url, kind } = await chooseServer(config, log, shutdown);
  const db = await openDatabase({
    url,
    replicaUrls: config.databaseReplicaUrls,
    poolMax: config.databasePoolMax,
  });
  shutdown.add("database connections", () => db.close());
  // Processes that start together take turns; all but the first find nothing to do.
  const migrated = await inTurn(url, "migrations", () => migrate(db));
  for (const name of migrated) log.info({ migration: name }, "migrated");
  return { db, url, kind, migrated };
}

async function chooseServer(
  config: Config,
  log: Log,
  shutdown: Pick<Shutdown, "add">,
): Promise<Pick<Store, "url" | "kind">> {
  if (config.databaseUrl !== undefined) return { url: config.databaseUrl, kind: "external" };
  const embedded = await startEmbeddedPostgres(config.dataDirectory, {
    log: (line) => log.debug(line),
    settings: { max_connections: `${CONNECTIONS_MAX + config.relay.processes * CONNECTIONS_PER_RELAY}` },
  });
  shutdown.add("embedded PostgreSQL", () => embedded.stop());
  return { url: embedded.url, kind: "embedded" };
}

/** What API keys are hashed with; a lost pepper makes every key unknown. Errors: SecretsUnavailable. */
export async function openPepper(config: Config): Promise<Buffer> {
  const secrets = await openSecrets(config.secretsDirectory);
  return Buffer.from(await secrets.readOrCreate("api-key-pepper", newKey), "base64");
}

/** What providers' bank accounts are sealed with; a lost key makes every one unreadable. Errors: SecretsUnavailable. */
export async function openSealingKey(config: Config): Promise<Buffer> {
  const secrets = await openSecrets(config.secretsDirectory);
  return Buffer.from(await secrets.readOrCreate("payout-account-key", newKey), "base64");
}

/** What answers that are kept under an idempotency key are sealed with; with a lost key they cannot be repeated. Errors: SecretsUnavailable. */
export async function openAnswerKey(config: Config): Promise<Buffer> {
  const secrets = await openSecrets(config.secretsDirectory);
  return Buffer.from(await secrets.readOrCreate("kept-answer-key", newKey), "base64");
}

const newKey = () => Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64");
