/** Starts an entrant as a process of its own, on a core of its own where the system can pin, and reads its CPU time. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const canPin = process.platform === "linux" && spawnSync("taskset", ["--version"]).status === 0;

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
  const [command, ...rest] = canPin ? ["taskset", "-c", String(options.core), ...node] : node;
  const child = spawn(command!, rest, {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, ...options.environment },
  });
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
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once("exit", () => resolve());
        child.kill("SIGTERM");
      }),
  };
}

/** Pins this process, and with it what it starts from now on (PostgreSQL, the load). */
export function pinSelf(core: number): boolean {
  return canPin && spawnSync("taskset", ["-acp", String(core), String(process.pid)]).status === 0;
}

/** User and system time of a process so far, microseconds; null where /proc is not there. */
export function cpuMicros(pid: number): number | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
    const ticks = Number(fields[11]) + Number(fields[12]);
    return (ticks / 100) * 1_000_000;
  } catch {
    return null;
  }
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
