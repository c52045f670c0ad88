/** Where the embedded PostgreSQL keeps its data, and the checks that it is ours to work in. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmdirSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { EmbeddedPostgresError, explained } from "./embedded-postgres-error";
import { canEnter, giveTo, type Identity, isRoot, serverIdentity } from "./postgres-identity";

export interface PostgresHome {
  /** Real path; holds everything below. */
  root: string;
  /** The data directory, `<root>/pg`: nothing outside it is ever started, stopped or initialised. */
  directory: string;
  passwordFile: string;
  /** What the server says. */
  logFile: string;
  rollDirectory: string;
  identity: Identity | undefined;
}

/** Where a root process puts data when PostgreSQL's user cannot get into the directory asked for. */
const systemPlace = "/var/lib";
/** A link in the directory asked for to the place that was taken instead, so that the data go on belonging to it. */
const pointerName = "postgres.elsewhere";

export function openHome(rootDirectory: string, log: (line: string) => void): PostgresHome {
  const asked = explained(resolve(rootDirectory), () => makeDirectory(resolve(rootDirectory)));
  const root = explained(asked, () => chooseRoot(asked, log));
  const directory = join(root, "pg");
  const identity = serverIdentity(directory);
  const passwordFile = join(root, "postgres.password");
  explained(directory, () => inspectDirectory(directory, passwordFile));
  const rollDirectory = join(root, "postgres.users");
  explained(rollDirectory, () => {
    mkdirSync(rollDirectory, { recursive: true });
    giveTo(rollDirectory, identity);
  });
  return { root, directory, passwordFile, logFile: join(root, "postgres.log"), rollDirectory, identity };
}

/** As root, directories made here let PostgreSQL's user pass, whatever the umask; existing ones stay as they are. */
function makeDirectory(directory: string): string {
  const firstMade = mkdirSync(directory, { recursive: true });
  if (firstMade && isRoot()) {
    for (let made = directory; made.length >= firstMade.length; made = dirname(made)) {
      chmodSync(made, statSync(made).mode | 0o011);
    }
  }
  readdirSync(directory);
  return realpathSync(directory);
}

function chooseRoot(asked: string, log: (line: string) => void): string {
  const identity = serverIdentity(join(asked, "pg"));
  const reachable = canEnter(asked, identity);
  if (existsSync(join(asked, "pg", "PG_VERSION"))) {
    if (reachable) return asked;
    throw new EmbeddedPostgresError(
      `the user that owns ${join(asked, "pg")} cannot get there: open the directories above it (chmod o+x), or set DATABASE_URL`,
    );
  }
  const pointer = join(asked, pointerName);
  if (lstatSync(pointer, { throwIfNoEntry: false })) return followPointer(pointer);
  if (reachable) return asked;
  return takeSystemPlace(pointer, log);
}

function followPointer(pointer: string): string {
  const elsewhere = readlinkSync(pointer);
  if (existsSync(elsewhere)) return realpathSync(elsewhere);
  throw new EmbeddedPostgresError(
    `the database was kept in ${elsewhere}, which is gone: remove ${pointer} to begin anew`,
  );
}

function takeSystemPlace(pointer: string, log: (line: string) => void): string {
  const place = mkdtempSync(join(systemPlace, "exergy-"));
  chmodSync(place, 0o711);
  try {
    symlinkSync(place, pointer); // Atomic: of two first starts one names the place.
  } catch (error) {
    rmdirSync(place);
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return followPointer(pointer);
    throw error;
  }
  log(`PostgreSQL's user cannot get into ${dirname(pointer)}: its data are kept in ${place}`);
  return place;
}

/** Refuses whatever is not a data directory of our making: better no start than somebody's files overwritten. */
function inspectDirectory(directory: string, passwordFile: string): void {
  const found = lstatSync(directory, { throwIfNoEntry: false });
  if (!found) return;
  const useAnother = "move it away, or set DATABASE_URL";
  if (!found.isDirectory()) {
    throw new EmbeddedPostgresError(
      `${directory} is not a directory, and PostgreSQL's data belong there: ${useAnother}`,
    );
  }
  const names = readdirSync(directory);
  if (names.length > 0 && !names.includes("PG_VERSION")) {
    throw new EmbeddedPostgresError(`${directory} holds files that are not PostgreSQL's: ${useAnother}`);
  }
  if (names.length > 0 && !existsSync(passwordFile)) {
    throw new EmbeddedPostgresError(
      `${directory} holds a database whose password ${passwordFile} is missing: restore it, ${useAnother}`,
    );
  }
}
