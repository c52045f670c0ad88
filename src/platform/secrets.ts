/** Named secrets in a directory, made on first use: each a file that only its owner reads. */
import { randomBytes } from "node:crypto";
import { link, mkdir, open, readFile, rm } from "node:fs/promises";
import { join, resolve } from "node:path";

export interface Secrets {
  /**
   * The secret of that name; `make` supplies it the first time.
   * Of processes that race for the first time one wins and all get its value.
   */
  readOrCreate(name: string, make: () => Promise<string> | string): Promise<string>;
}

export class SecretsUnavailable extends Error {
  override readonly name = "SecretsUnavailable";
  readonly code = "SECRETS_UNAVAILABLE";
}

const allowedName = /^[a-z0-9][a-z0-9.-]*$/;

/** Errors: SecretsUnavailable when the directory cannot be made, read or written; the message says what to do. */
export async function openSecrets(directory: string): Promise<Secrets> {
  const home = resolve(directory);
  await explained(home, () => mkdir(home, { recursive: true, mode: 0o700 }));
  return {
    readOrCreate: async (name, make) => {
      if (!allowedName.test(name))
        throw new RangeError(`a secret's name is lower-case letters, digits, . and -: ${name}`);
      return explained(join(home, name), () => readOrCreate(join(home, name), make));
    },
  };
}

async function readOrCreate(file: string, make: () => Promise<string> | string): Promise<string> {
  const present = await read(file);
  if (present !== undefined) return present;
  const secret = await make();
  if (secret === "") throw new RangeError(`an empty secret for ${file}`);
  const draft = `${file}.${randomBytes(6).toString("hex")}`;
  try {
    await writeDurably(draft, secret);
    // A link, not a rename: it fails when another process was first, and never shows a half-written file.
    await link(draft, file);
    return secret;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return (await read(file)) ?? readOrCreate(file, make);
  } finally {
    await rm(draft, { force: true });
  }
}

async function read(file: string): Promise<string | undefined> {
  try {
    const text = await readFile(file, "utf8");
    if (text === "") throw new SecretsUnavailable(`${file} is empty: restore it, or remove it to have a new one made`);
    return text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function writeDurably(file: string, text: string): Promise<void> {
  const handle = await open(file, "wx", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const remedies: Record<string, string> = {
  EACCES: "permission denied: give it to the user that runs this process",
  EPERM: "not permitted: give it to the user that runs this process",
  EEXIST: "a file is in its place: move it away",
  ENOTDIR: "a file is in place of a directory: move it away",
  EISDIR: "a directory is in place of the file: move it away",
  ENOSPC: "the disk is full: free some space",
  EROFS: "the file system is read-only: choose another directory",
};

async function explained<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const remedy = remedies[(error as NodeJS.ErrnoException).code ?? ""];
    if (!remedy) throw error;
    throw new SecretsUnavailable(`cannot keep secrets in ${path}: ${remedy}`, { cause: error });
  }
}
