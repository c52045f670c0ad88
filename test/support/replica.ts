/** A streaming replica of an embedded PostgreSQL, made with that server's own binaries: a base backup by hand, there being no pg_basebackup among them. */
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { Client } from "pg";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/platform/embedded-postgres";
import { giveTo, serverIdentity } from "../../src/platform/postgres-identity";
import { findPostmaster } from "../../src/platform/postmaster";

/** What a primary needs that has a replica: its log is kept until that has it. */
export const primarySettings = {
  wal_level: "replica",
  max_wal_senders: "4",
  wal_keep_size: "256MB",
  hot_standby: "on",
};

export interface ReplicaServer extends EmbeddedPostgres {
  /** At once and without a word, as a machine that loses power. */
  kill(): void;
}

/** Not in a backup: they belong to the server that runs there. */
const leftOut = new Set(["postmaster.pid", "postmaster.opts", "pg_replslot", "pg_stat_tmp", "pgsql_tmp"]);

/** `root` must not exist yet. Errors: those of pg and of the file system. */
export async function startReplica(primary: EmbeddedPostgres, root: string): Promise<ReplicaServer> {
  const directory = join(root, "pg");
  mkdirSync(root, { recursive: true, mode: 0o755 });
  // Both sides answer to the same password: it is part of the data.
  const password = readFileSync(join(dirname(primary.directory), "postgres.password"));
  writeFileSync(join(root, "postgres.password"), password, { mode: 0o600 });
  await copyData(primary, directory);
  writeFileSync(join(directory, "standby.signal"), "");
  const { hostname, port, username } = new URL(primary.url);
  const source = `host=${hostname} port=${port} user=${username} password=${new URL(primary.url).password}`;
  writeFileSync(join(directory, "postgresql.auto.conf"), `primary_conninfo = '${source}'\n`, { flag: "a" });
  chmodSync(directory, 0o700);
  own(directory);
  const server = await startEmbeddedPostgres(root, { durable: false, settings: { hot_standby: "on" } });
  return {
    ...server,
    kill() {
      const running = findPostmaster(server.directory);
      if (running) process.kill(running.pid, "SIGQUIT");
    },
  };
}

async function copyData(primary: EmbeddedPostgres, directory: string): Promise<void> {
  const session = new Client({ connectionString: primary.url });
  await session.connect();
  try {
    // The backup lasts as long as this session.
    await session.query("SELECT pg_backup_start('replica', true)");
    cpSync(primary.directory, directory, {
      recursive: true,
      filter: (path) =>
        !leftOut.has(basename(path)) && !(basename(dirname(path)) === "pg_wal" && /^[0-9A-F]{24}/.test(basename(path))),
    });
    const { rows } = await session.query<{ labelfile: string }>("SELECT labelfile FROM pg_backup_stop(false)");
    writeFileSync(join(directory, "backup_label"), rows[0]!.labelfile);
  } finally {
    await session.end();
  }
  for (const name of ["pg_replslot", "pg_stat_tmp"]) mkdirSync(join(directory, name), { recursive: true });
}

/** As root, PostgreSQL runs as another user, to whom all of it has to belong. */
function own(directory: string, identity = ownerBeside(directory)): void {
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" }))
    giveTo(join(directory, name), identity);
  giveTo(directory, identity);
}

const ownerBeside = (directory: string) => serverIdentity(join(directory, "..", "nothing there"));
