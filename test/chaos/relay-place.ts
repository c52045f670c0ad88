/** A place for a relay process, which reaches PostgreSQL through a proxy of its own; another process may stand there after each kill. */
import type { Program } from "../demo/program";
import type { WithholdingProxy } from "./withholding-proxy";

export class RelayPlace {
  /** Null while none answers. */
  url: string | null = null;
  private program: Program | null = null;
  private starting: Promise<void> = Promise.resolve();

  constructor(
    readonly proxy: WithholdingProxy,
    private readonly run: () => Program,
  ) {}

  start(): Promise<void> {
    this.starting = this.open();
    return this.starting;
  }

  /** Nothing of it runs any further, not even what is due in this very moment. */
  shoot(): void {
    this.url = null;
    this.program?.child.kill("SIGKILL");
  }

  /** It is there and does nothing, until `wake`. */
  sleep(): void {
    this.program!.child.kill("SIGSTOP");
  }

  wake(): void {
    this.program!.child.kill("SIGCONT");
  }

  async clear(): Promise<void> {
    this.url = null;
    // One that is just starting would be missed.
    await this.starting.catch(() => undefined);
    await this.program?.clear();
  }

  private async open(): Promise<void> {
    await this.program?.clear();
    this.program = this.run();
    await this.program.says("Exergy is up");
    this.url = /"relay":"([^"]+)"/.exec(this.program.stdout)![1]!;
  }
}
