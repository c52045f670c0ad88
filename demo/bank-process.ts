/** The simulated bank as a process of its own: it takes payments over, lets a moment pass and says what became of them. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export interface BankSettings {
  /** The simulated bank's main file. */
  readonly program: string;
  readonly secret: string;
  /** Where it tells what becomes of payments; left out, it has to be asked. */
  readonly callbackUrl?: string;
}

export class BankProcess {
  private constructor(
    readonly url: string,
    private readonly child: ChildProcess,
  ) {}

  /** Errors: what it said instead of starting. */
  static async start({ program, secret, callbackUrl }: BankSettings): Promise<BankProcess> {
    const args = ["--port", "0", "--transit-ms", "200", "--settle-ms", "300", "--exit-with-stdin"];
    const told = callbackUrl === undefined ? [] : ["--callback-url", callbackUrl];
    const child = spawn(process.execPath, [...process.execArgv, program, ...args, ...told], {
      env: { SIMULATED_BANK_SECRET: secret },
      // The pipe to its stdin closes whenever this process ends, and however: then it leaves too.
      stdio: ["pipe", "pipe", "inherit"],
      // A Ctrl-C in the terminal is ours to handle.
      detached: true,
    });
    const [line] = await Promise.race([
      once(createInterface({ input: child.stdout! }), "line"),
      once(child, "exit").then(() => [undefined]),
    ]);
    if (line === undefined) throw new Error("The simulated bank did not start.");
    return new BankProcess((JSON.parse(line as string) as { url: string }).url, child);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, "exit");
    this.child.kill("SIGTERM");
    await gone;
  }
}
