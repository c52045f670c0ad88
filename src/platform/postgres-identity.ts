/** As whom PostgreSQL's programs run: they refuse root, so a root process hands them to an ordinary user. */
import { spawnSync } from "node:child_process";
import { lchownSync, readFileSync, statSync } from "node:fs";
import { EmbeddedPostgresError } from "./embedded-postgres-error";

/** `undefined` in place of an identity means: as ourselves. */
export interface Identity {
  uid: number;
  gid: number;
}

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** The owner of the data directory if there is one, else `postgres`, else `nobody`: initdb needs a uid that has a name. */
export function serverIdentity(dataDirectory: string): Identity | undefined {
  if (!isRoot()) return undefined;
  const owner = statSync(dataDirectory, { throwIfNoEntry: false });
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const users = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  const user = users.find(([name]) => name === "postgres") ?? users.find(([name]) => name === "nobody");
  if (user) return { uid: Number(user[2]), gid: Number(user[3]) };
  throw new EmbeddedPostgresError(
    "PostgreSQL does not run as root, and this machine has neither a user postgres nor nobody: set DATABASE_URL, or start as an ordinary user",
  );
}

/** Whether that user gets into the directory, past every directory above it. */
export function canEnter(directory: string, identity: Identity | undefined): boolean {
  if (!identity) return true;
  return spawnSync("/bin/sh", ["-c", 'test -x "$1"', "sh", directory], { ...identity, cwd: "/" }).status === 0;
}

/** Never through a symbolic link: a root process must not be led to give away a file of the system. */
export function giveTo(path: string, identity: Identity | undefined): void {
  if (identity) lchownSync(path, identity.uid, identity.gid);
}

/** Nothing inherited: PGDATA and its like would redirect PostgreSQL's programs, LANG would translate the messages that we read. */
export const serverEnvironment: NodeJS.ProcessEnv = { PATH: "/usr/bin:/bin", LC_ALL: "C" };
