/** One simulated GPU provider: the reference provider as a process of its own, which can be told things, killed and brought back. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export interface ProviderModel {
  readonly id: string;
  readonly contextLength: number;
  readonly decodeTokensPerSecond: number;
  readonly timeToFirstTokenMs: number;
}

/** What the reference provider reads; see examples/reference-provider/README.md. */
export interface ProviderSettings {
  readonly tls: { readonly certPem: string; readonly keyPem: string };
  readonly clientCaPem: string;
  readonly issuer: string;
  readonly jwksUrl: string;
  readonly models: readonly ProviderModel[];
}

/** It lets requests end for five seconds; this is a little more. */
const STOP_MS = 6_000;

export class ProviderProcess {
  private child: ChildProcess | undefined;
  private controlUrl = "";
  private audience: string | undefined;
  /** Base URL of its OpenAI-compatible API. */
  url = "";

  /** `program`: the reference provider's main file. */
  constructor(
    private readonly program: string,
    private readonly settings: ProviderSettings,
  ) {}

  /** Also after `kill`: then at the address that it is known by. Errors: what it said instead of starting. */
  async start(): Promise<void> {
    const port = this.url === "" ? 0 : Number(new URL(this.url).port);
    const settings = { ...this.settings, port, controlPort: 0, exitWhenStdinCloses: true, audience: this.audience };
    const child = spawn(process.execPath, [...process.execArgv, this.program], {
      // Keys belong neither on a command line nor in a file; nothing else of our environment is a provider's business.
      env: { REFERENCE_PROVIDER: JSON.stringify(settings) },
      // The pipe to its stdin closes whenever this process ends, and however: then it leaves too.
      stdio: ["pipe", "pipe", "pipe"],
      // A Ctrl-C in the terminal is ours to handle: it must go on serving while the relay drains.
      detached: true,
    });
    this.child = child;
    const { url, controlUrl } = await firstWords(child);
    this.url = url;
    this.controlUrl = controlUrl;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Its endpoint's id, for which relay tokens are made out. */
  async tellAudience(audience: string): Promise<void> {
    this.audience = audience;
    await this.control({ audience });
  }

  /** From now on it takes requests and answers none. */
  async hang(): Promise<void> {
    await this.control({ behaviour: { mode: "hang" } });
  }

  async inFlight(): Promise<number> {
    return (await this.control()).numbers.inFlight;
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    await this.end("SIGKILL");
  }

  async stop(): Promise<void> {
    const impatient = setTimeout(() => this.child?.kill("SIGKILL"), STOP_MS);
    await this.end("SIGTERM");
    clearTimeout(impatient);
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
  }

  private async control(change?: object): Promise<{ numbers: { inFlight: number } }> {
    const answer = await fetch(this.controlUrl, change && { method: "POST", body: JSON.stringify(change) });
    if (!answer.ok) throw new Error(`The simulated provider refused ${JSON.stringify(change)}: ${await answer.text()}`);
    return (await answer.json()) as { numbers: { inFlight: number } };
  }
}

/** The line of JSON by which it says where it listens. */
async function firstWords(child: ChildProcess): Promise<{ url: string; controlUrl: string }> {
  let complaint = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-2_000);
  });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const line = await Promise.race([
    once(lines, "line").then(([text]) => text as string),
    once(child, "close").then(() => undefined),
  ]);
  if (line === undefined) throw new Error(`A simulated provider did not start: ${complaint.trim()}`);
  return JSON.parse(line) as { url: string; controlUrl: string };
}
