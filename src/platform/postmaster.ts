/** The server process of one data directory: found, launched, stopped; never one that works elsewhere. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
} from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { EmbeddedPostgresError, explain, explained } from "./embedded-postgres-error";
import type { Binaries } from "./postgres-binaries";
import type { PostgresHome } from "./postgres-home";
import { giveTo, serverEnvironment } from "./postgres-identity";

export interface Postmaster {
  pid: number;
  port: number;
  ready: boolean;
}

const pollMs = 10;
/** Crash recovery replays what was written since the last checkpoint: seconds, on a slow disk a minute or more. */
const startMaxMs = 180_000;
/** A fast shutdown writes out what is in memory; after that the server is told to leave without. */
const stopMaxMs = 20_000;

/** The live server of that directory. A postmaster.pid may be stale, and its pid may be another process's by now. */
export function findPostmaster(directory: string): Postmaster | undefined {
  const lines = pidFileLines(directory);
  const pid = Number(lines[0]);
  if (!pid || !isPostmasterOf(pid, directory)) return undefined;
  return { pid, port: Number(lines[3]), ready: lines[7]?.trim() === "ready" };
}

function pidFileLines(directory: string): string[] {
  try {
    return readFileSync(join(directory, "postmaster.pid"), "utf8").split("\n");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

function isPostmasterOf(pid: number, directory: string): boolean {
  try {
    if (process.platform !== "linux") {
      // No /proc: the command line names the directory, because `launch` puts it there.
      return execFileSync("ps", ["-o", "command=", "-p", `${pid}`], { encoding: "utf8" }).includes(`-D ${directory} `);
    }
    // A zombie still has a name, and no directory.
    return (
      /\(postgres\) [^Z]/.test(readFileSync(`/proc/${pid}/stat`, "utf8")) &&
      readlinkSync(`/proc/${pid}/cwd`) === directory
    );
  } catch {
    return false;
  }
}

/**
 * PostgreSQL removes a postmaster.pid whose process is dead, and refuses to start when the number belongs to any live
 * process of its user. The latter case is cured here.
 */
function dropForeignPidFile(directory: string): void {
  const pid = Number(pidFileLines(directory)[0]);
  if (!pid || process.platform !== "linux" || isPostmasterOf(pid, directory)) return;
  try {
    process.kill(pid, 0);
  } catch {
    return;
  }
  rmSync(join(directory, "postmaster.pid"), { force: true });
}

export interface LaunchOptions {
  settings: Record<string, string>;
  log: (line: string) => void;
}

/** Adopts the directory's server or launches one; when two processes launch at once, one's server serves both. */
export async function adoptOrLaunch(
  home: PostgresHome,
  binaries: Binaries,
  options: LaunchOptions,
): Promise<{ server: Postmaster; adopted: boolean }> {
  const deadlineAtMs = Date.now() + startMaxMs;
  while (Date.now() < deadlineAtMs) {
    const server = findPostmaster(home.directory);
    if (server?.ready) return { server, adopted: true };
    if (!server) {
      dropForeignPidFile(home.directory);
      const launched = await launch(home, binaries, options, deadlineAtMs);
      if (launched) return { server: launched, adopted: false };
    }
    await pause(pollMs); // It is starting, stopping, or somebody else's start won.
  }
  throw new EmbeddedPostgresError(
    `PostgreSQL in ${home.directory} was not ready after ${startMaxMs / 1000} s: see ${home.logFile}, or set DATABASE_URL`,
  );
}

/** Reasons to look again instead of giving up: another start won, dying backends still hold on, the port was just taken. */
const passing = /lock file ".*" already exists|pre-existing shared memory block|Address already in use/;

async function launch(
  home: PostgresHome,
  binaries: Binaries,
  { settings, log }: LaunchOptions,
  deadlineAtMs: number,
): Promise<Postmaster | undefined> {
  const port = await choosePort(home.directory);
  const output = openLog(home);
  try {
    const outputStart = fstatSync(output).size;
    const child = spawnServer(home, binaries, port, settings, output);
    let failure: Error | undefined;
    let ended = false;
    child.once("error", (error) => {
      failure = error;
      ended = true;
    });
    child.once("exit", () => {
      ended = true;
    });
    while (!ended && Date.now() < deadlineAtMs) {
      const server = findPostmaster(home.directory);
      if (server?.ready && server.pid === child.pid) {
        log(`PostgreSQL ${binaries.major} started on port ${port}, data in ${home.directory}`);
        return server;
      }
      await pause(pollMs);
    }
    if (failure) throw explain(failure, binaries.directory);
    const words = outputSince(output, outputStart);
    if (ended && !passing.test(words)) throw explain(words, home.directory);
    return undefined;
  } finally {
    closeSync(output);
  }
}

/** Detached: it must outlive a killed parent, and not see the terminal's Ctrl-C before we have drained. */
function spawnServer(
  home: PostgresHome,
  binaries: Binaries,
  port: number,
  settings: Record<string, string>,
  output: number,
): ChildProcess {
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = spawn(join(binaries.directory, "postgres"), ["-D", home.directory, "-p", `${port}`, ...flags], {
    ...home.identity,
    cwd: home.directory,
    env: serverEnvironment,
    detached: true,
    stdio: ["ignore", output, output],
  });
  child.unref();
  return child;
}

function openLog(home: PostgresHome): number {
  const { O_APPEND, O_CREAT, O_RDWR } = constants;
  const file = explained(home.logFile, () => openSync(home.logFile, O_APPEND | O_CREAT | O_RDWR, 0o600));
  giveTo(home.logFile, home.identity);
  return file;
}

function outputSince(file: number, position: number): string {
  const words = Buffer.alloc(Math.min(fstatSync(file).size - position, 65_536));
  readSync(file, words, 0, words.length, position);
  return words.toString("utf8");
}

/** The port of the last run if it is free, so that clients which outlived a killed server find the next one. */
async function choosePort(directory: string): Promise<number> {
  const options = join(directory, "postmaster.opts");
  const lastPort = existsSync(options) && /"-p" "(\d+)"/.exec(readFileSync(options, "utf8"))?.[1];
  return (lastPort && (await probePort(Number(lastPort)))) || ((await probePort(0)) as number);
}

/** Port 0 asks for any. */
function probePort(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (error) => (port === 0 ? reject(error) : resolve(undefined)));
    probe.listen(port, "127.0.0.1", () => {
      const { port: free } = probe.address() as AddressInfo;
      probe.close(() => resolve(free));
    });
  });
}

/** Ends the directory's server if it runs: sessions are cut, what they committed is on disk. */
export async function stopPostmaster(directory: string): Promise<void> {
  const server = findPostmaster(directory);
  if (!server) return;
  signal(server.pid, "SIGINT"); // PostgreSQL's fast shutdown.
  const impatientAtMs = Date.now() + stopMaxMs;
  let told = false;
  while (isPostmasterOf(server.pid, directory)) {
    if (!told && Date.now() > impatientAtMs) {
      signal(server.pid, "SIGQUIT"); // Immediate: the next start recovers from the log.
      told = true;
    }
    await pause(pollMs);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
