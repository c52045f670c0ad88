/** Makes the embedded PostgreSQL's data directory, whole or not at all, with a password of its own. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { explain } from "./embedded-postgres-error";
import type { Binaries } from "./postgres-binaries";
import type { PostgresHome } from "./postgres-home";
import { giveTo, serverEnvironment } from "./postgres-identity";
import { openSecrets } from "./secrets";

const run = promisify(execFile);

export function dataMajor(directory: string): number | undefined {
  const file = join(directory, "PG_VERSION");
  return existsSync(file) ? Number.parseInt(readFileSync(file, "utf8"), 10) : undefined;
}

/** Kept beside the data and readable by the server's user, who needs it once, for initdb. */
export async function readPassword(home: PostgresHome): Promise<string> {
  try {
    const secrets = await openSecrets(dirname(home.passwordFile));
    const password = await secrets.readOrCreate(basename(home.passwordFile), () =>
      randomBytes(24).toString("base64url"),
    );
    giveTo(home.passwordFile, home.identity);
    return password;
  } catch (error) {
    throw explain((error as Error).cause ?? error, home.passwordFile);
  }
}

/**
 * initdb works in a draft beside the data directory, renamed into place when complete: an initdb that was killed leaves
 * nothing half-made there, and of two first starts the second finds the place taken and drops its draft.
 * Answers whether the directory is this call's.
 */
export async function makeDataDirectory(home: PostgresHome, binaries: Binaries, durable: boolean): Promise<boolean> {
  const draft = mkdtempSync(`${home.directory}-draft-`);
  try {
    chmodSync(draft, 0o700);
    giveTo(draft, home.identity);
    const flags = [
      "-U",
      "postgres",
      "-A",
      "scram-sha-256",
      `--pwfile=${home.passwordFile}`,
      "-E",
      "UTF8",
      "--no-instructions",
    ];
    // Code-point order everywhere; only Linux knows a C locale that also tells letters from other characters.
    const locale = process.platform === "linux" ? "C.UTF-8" : "C";
    const args = ["-D", draft, ...flags, `--locale=${locale}`, ...(durable ? [] : ["--no-sync"])];
    const options = { ...home.identity, cwd: draft, env: serverEnvironment };
    await run(join(binaries.directory, "initdb"), args, options);
    renameSync(draft, home.directory);
    return true;
  } catch (error) {
    if (!isTaken(home.directory)) throw explain(error, home.directory);
    return false;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function isTaken(directory: string): boolean {
  return existsSync(directory) && readdirSync(directory).length > 0;
}
