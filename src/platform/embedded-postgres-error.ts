/** Why the embedded PostgreSQL cannot run, in one sentence that says what to do about it. */

export class EmbeddedPostgresError extends Error {
  override readonly name = "EmbeddedPostgresError";
  readonly code = "EMBEDDED_POSTGRES";
}

const useAnother = "or set DATABASE_URL to a PostgreSQL server of yours";

/** What the server's own output or an error code of the file system comes down to. */
const remedies: [sign: RegExp, remedy: string][] = [
  [/No space left on device|free disk space|ENOSPC/, `the disk is full: free some space, ${useAnother}`],
  [/Read-only file system|EROFS/, `the file system is read-only: choose another directory, ${useAnother}`],
  [
    /could not look up effective user ID/,
    `this user id has no name in /etc/passwd: run as another user, ${useAnother}`,
  ],
  [/EEXIST|ENOTDIR|Not a directory/, `a file is in place of a directory: move it away, ${useAnother}`],
  [
    /EACCES|EPERM|Permission denied|invalid permissions|wrong ownership/,
    `permission denied: give the directory to the user that runs this process, ${useAnother}`,
  ],
  [
    /incompatible with server/,
    `its files are of another PostgreSQL version: install that version, move the directory away, ${useAnother}`,
  ],
  [
    /could not create shared memory|could not map anonymous shared memory|Cannot allocate memory/,
    `not enough memory: free some, ${useAnother}`,
  ],
];

/** `problem` is a thrown error or what a PostgreSQL program wrote; `path` is what it was about. */
export function explain(problem: unknown, path: string): EmbeddedPostgresError {
  if (problem instanceof EmbeddedPostgresError) return problem;
  const text =
    problem instanceof Error ? `${problem.message} ${(problem as { stderr?: string }).stderr ?? ""}` : `${problem}`;
  const remedy = remedies.find(([sign]) => sign.test(text))?.[1];
  const cause = problem instanceof Error ? problem : new Error(text.trim());
  if (remedy) return new EmbeddedPostgresError(`embedded PostgreSQL in ${path}: ${remedy}`, { cause });
  const lastWords = text.trim().split("\n").slice(-5).join("\n");
  return new EmbeddedPostgresError(`embedded PostgreSQL in ${path} does not run; its last words:\n${lastWords}`, {
    cause,
  });
}

/** Runs file-system work and explains what goes wrong. */
export function explained<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw explain(error, path);
  }
}
