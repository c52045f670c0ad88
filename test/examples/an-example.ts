/** Runs one of examples/ as a partner would, as a process of its own, and reads what it prints. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { until } from "../support/leftovers";

const root = join(__dirname, "../..");
const PATIENCE_MS = 15_000;

export class Example {
  stdout = "";
  stderr = "";
  private readonly child: ChildProcess;
  private readonly ended: Promise<unknown[]>;

  constructor(name: string, environment: Readonly<Record<string, string>>, args: readonly string[] = []) {
    const program = join(root, "examples", name, "main.ts");
    this.child = spawn(process.execPath, ["--require", join(root, "test/demo/typescript.cjs"), program, ...args], {
      env: { PATH: process.env.PATH, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of ["stdout", "stderr"] as const) {
      this.child[stream]!.setEncoding("utf8").on("data", (text: string) => {
        this[stream] += text;
      });
    }
    this.ended = once(this.child, "close");
  }

  get lines(): string[] {
    return this.stdout.split("\n").filter((line) => line !== "");
  }

  /** Resolves when that many lines of its output have been printed that match. Errors: with all that it said. */
  async prints(pattern: RegExp, times = 1): Promise<void> {
    const enough = () => this.lines.filter((line) => pattern.test(line)).length >= times;
    await until(`${times} × ${pattern}`, enough, PATIENCE_MS).catch((error: Error) => {
      throw new Error(`${error.message}\nstdout:\n${this.stdout}\nstderr:\n${this.stderr}`);
    });
  }

  async says(pattern: RegExp): Promise<void> {
    await until(`stderr ${pattern}`, () => pattern.test(this.stderr), PATIENCE_MS);
  }

  /** By Ctrl-C; resolves with its exit code. */
  async stop(signal: NodeJS.Signals = "SIGINT"): Promise<number | null> {
    this.child.kill(signal);
    return this.end();
  }

  async end(): Promise<number | null> {
    const [code] = await this.ended;
    return code as number | null;
  }
}
