/** Starts an entrant as a process of its own, on a core of its own where the system can pin, and reads its CPU time. */
import { type ChildProcess, type StdioOptions, spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { createInterface } from "node:readline";

const TICKS_PER_SECOND = 100;
export const canPin = process.platform === "linux" && spawnSync("taskset", ["--version"]).status === 0;

export interface Entrant {
  readonly child: ChildProcess;
  /** The next JSON line that it prints. */
  next<Line>(): Promise<Line>;
  /** Sends a command as a JSON line; the next line that it prints is the answer. */
  ask<Answer>(command: object): Promise<Answer>;
  stop(): Promise<void>;
}

export function startEntrant(
  script: string,
  args: readonly string[],
  options: { core: number; environment?: NodeJS.ProcessEnv; nodeOptions?: readonly string[] },
): Entrant {
  const node = [process.execPath, "--enable-source-maps", ...(options.nodeOptions ?? []), script, ...args];
  const child = spawnPinned(node, { ...options, stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const next = async <Line>() => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${script} ended without an answer`);
    return JSON.parse(value) as Line;
  };
  return {
    child,
    next,
    ask<Answer>(command: object) {
      child.stdin!.write(`${JSON.stringify(command)}\n`);
      return next<Answer>();
    },
    stop: () => stopChild(child),
  };
}

export function spawnPinned(
  command: readonly string[],
  options: { core: number; environment?: NodeJS.ProcessEnv; stdio: StdioOptions },
): ChildProcess {
  const [file, ...args] = canPin ? ["taskset", "-c", String(options.core), ...command] : command;
  return spawn(file!, args, { stdio: options.stdio, env: { ...process.env, ...options.environment } });
}

export function stopChild(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
  });
}

/** Pins this process, and with it what it starts from now on (PostgreSQL, the load). */
export function pinSelf(core: number): boolean {
  return canPin && spawnSync("taskset", ["-acp", String(core), String(process.pid)]).status === 0;
}

/** Gives this process all cores again, and what it starts from now on. */
export function unpinSelf(): void {
  if (canPin) spawnSync("taskset", ["-acp", `0-${cpus().length - 1}`, String(process.pid)]);
}

/** User and system time of a process so far, microseconds; null where /proc is not there. */
export function cpuMicros(pid: number): number | null {
  const fields = fieldsOf(pid);
  return fields === null ? null : ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1_000_000;
}

/** Of /proc/PID/stat, from the state on: the parent is [1], user and system time [11] and [12]. */
function fieldsOf(pid: number): string[] | null {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  } catch {
    return null;
  }
}

/** User and system time of a process and of all that it ever started, microseconds: what PostgreSQL takes. */
export function cpuMicrosOfFamily(pid: number): number | null {
  const own = cpuMicros(pid);
  const waitedFor = fieldsOf(pid)?.slice(13, 15) ?? [];
  if (own === null) return null;
  const children = readdirSync("/proc").filter(
    (name) => /^\d+$/.test(name) && fieldsOf(Number(name))?.[1] === String(pid),
  );
  const ended = (waitedFor.reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_SECOND) * 1_000_000;
  return children.reduce((sum, child) => sum + (cpuMicros(Number(child)) ?? 0), own + ended);
}

/** Resident memory of a process now, bytes; null where /proc is not there. */
export function residentBytes(pid: number): number | null {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return kilobytes === undefined ? null : Number(kilobytes) * 1024;
  } catch {
    return null;
  }
}
