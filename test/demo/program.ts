/** Runs one of our programs as a process of its own, as it stands in bin/, and knows what it left behind. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(__dirname, "../..");

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export class Program {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";
  private readonly title = `exergy-test-${randomBytes(6).toString("hex")}`;

  /** `environment` is all that it gets, beside what a program needs to run at all. */
  constructor(
    name: "demo" | "start" | "migrate" | "operator",
    private readonly options: { args?: string[]; environment: Record<string, string>; directory: string },
  ) {
    // Its children inherit the title: by it they are found, whoever has become their parent.
    const args = [
      `--title=${this.title}`,
      "--require",
      join(__dirname, "typescript.cjs"),
      join(root, "bin", `${name}.ts`),
    ];
    this.child = spawn(process.execPath, [...args, ...(options.args ?? [])], {
      cwd: options.directory,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...options.environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.ended = once(this.child, "close").then(([code, signal]) => ({ code, signal }) as Ended);
  }

  /** Resolves when it has said that. Errors: when it ended without, with all that it said. */
  async says(words: string | RegExp): Promise<void> {
    const heard = () => (typeof words === "string" ? this.stdout.includes(words) : words.test(this.stdout));
    while (!heard()) {
      const last = await Promise.race([once(this.child.stdout!, "data").then(() => undefined), this.ended]);
      if (last !== undefined && !heard()) {
        throw new Error(
          `It ended (${last.code ?? last.signal}) without saying ${words}:\n${this.stdout}\n${this.stderr}`,
        );
      }
    }
  }

  isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Command lines of live processes that carry its title or work in its directory. */
  left(): string[] {
    return this.remains().map(({ line }) => line);
  }

  /** Process ids of what it started of our own kind. */
  children(): number[] {
    return live().flatMap(({ pid, line }) => (line.includes(this.title) && pid !== this.child.pid ? [pid] : []));
  }

  /** For afterEach: ends it, and whatever a failed test left of it. */
  async clear(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.ended;
    for (const { pid } of this.remains()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended while we looked.
      }
    }
  }

  private remains(): Live[] {
    return live().filter(({ line }) => line.includes(this.title) || line.includes(this.options.directory));
  }
}

interface Live {
  pid: number;
  line: string;
}

function live(): Live[] {
  if (process.platform !== "linux") {
    const lines = execFileSync("ps", ["-A", "-o", "pid=,args="], { encoding: "utf8" }).split("\n");
    return lines.map((line) => ({ pid: Number.parseInt(line, 10), line }));
  }
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    try {
      return [{ pid: Number(pid), line: readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ") }];
    } catch {
      return []; // It ended while we looked.
    }
  });
}
