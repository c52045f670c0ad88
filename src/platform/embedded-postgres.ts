/** A PostgreSQL of our own below a directory, for who has none: a real server with its data in `<root>/pg`, shared by all processes that ask for it. */
import { explained } from "./embedded-postgres-error";
import { findBinaries } from "./postgres-binaries";
import { openHome } from "./postgres-home";
import { dataMajor, makeDataDirectory, readPassword } from "./postgres-init";
import { adoptOrLaunch, stopPostmaster } from "./postmaster";
import { signRoll } from "./process-roll";

export { EmbeddedPostgresError } from "./embedded-postgres-error";

export interface EmbeddedPostgresOptions {
  /** `false` trades every guarantee after a crash for speed: tests only. */
  durable?: boolean;
  /** Server settings by name, over the defaults below. */
  settings?: Record<string, string>;
  /** Hears what was made, started, adopted, left. */
  log?: (line: string) => void;
}

export interface EmbeddedPostgres {
  url: string;
  /** A running server was found and taken over, with the settings it was started with. */
  adopted: boolean;
  directory: string;
  /** Stops the server, unless another live process uses it too: then that one will. */
  stop(): Promise<void>;
}

const defaultSettings = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "", // A path below a checkout is soon longer than the 107 bytes that a socket may have.
  shared_buffers: "128MB",
  max_connections: "100",
  timezone: "UTC",
  log_timezone: "UTC",
};

const undurableSettings = { fsync: "off", synchronous_commit: "off", full_page_writes: "off" };

/**
 * Works as root (the server then runs as `postgres` or `nobody`) and as an ordinary user; a server that outlived its
 * parent is adopted, one that was killed is restarted and recovers.
 * Errors: EmbeddedPostgresError, whose message says what to do.
 */
export async function startEmbeddedPostgres(
  rootDirectory: string,
  { durable = true, settings = {}, log = () => {} }: EmbeddedPostgresOptions = {},
): Promise<EmbeddedPostgres> {
  const home = openHome(rootDirectory, log);
  const { directory } = home;
  const binaries = findBinaries(
    home.root,
    home.identity,
    explained(directory, () => dataMajor(directory)),
  );
  const password = await readPassword(home);
  if (dataMajor(directory) === undefined) {
    const made = await makeDataDirectory(home, binaries, durable);
    if (made) log(`PostgreSQL ${binaries.major} data directory made in ${directory}`);
  }
  const entry = await signRoll(home.rollDirectory);
  const leave = () => entry.leave(() => stopPostmaster(directory));
  try {
    const launchSettings = { ...defaultSettings, ...(durable ? {} : undurableSettings), ...settings };
    const { server, adopted } = await adoptOrLaunch(home, binaries, { settings: launchSettings, log });
    if (adopted) log(`PostgreSQL found running on port ${server.port}, data in ${directory}`);
    let stopping: Promise<void> | undefined;
    const stop = () => {
      stopping ??= leave().then((stopped) =>
        log(stopped ? "PostgreSQL stopped" : "PostgreSQL left running for another process"),
      );
      return stopping;
    };
    return { url: `postgres://postgres:${password}@127.0.0.1:${server.port}/postgres`, adopted, directory, stop };
  } catch (error) {
    await leave();
    throw error;
  }
}
