/** Starts an entrant as a process of its own, on a core of its own where the system can pin, and reads its CPU time. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const canPin = process.platform === "linux" && spawnSync("taskset", ["--version"]).status === 0;

export interface Entrant {
  readonly child: ChildProcess;
  /** The next JSON line that it prints. */
  next<Line>(): Promise<Line>;
  stop(): Promise<void>;
}

export function startEntrant(
  script: string,
  args: readonly string[],
  options: { core: number; environment?: NodeJS.ProcessEnv },
): Entrant {
  const node = [process.execPath, "--enable-source-maps", script, ...args];
  const [command, ...rest] = canPin ? ["taskset", "-c", String(options.core), ...node] : node;
  const child = spawn(command!, rest, {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, ...options.environment },
  });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  return {
    child,
    async next<Line>() {
      const { value, done } = await lines.next();
      if (done) throw new Error(`${script} ended before it was ready`);
      return JSON.parse(value) as Line;
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
