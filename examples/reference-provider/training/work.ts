/** One job of simulated GPUs: it is done in units, one after the other, and can be told to go wrong. */

/** Simulation only. `claims` multiplies what the job says that it has used. */
export interface TrainingFault {
  /** Fails at the next unit. */
  fails?: boolean;
  /** Does nothing more. */
  stalls?: boolean;
  /** Says that it has used so many times what it has. */
  claims?: number;
  /** Leaves its figures out. */
  silent?: boolean;
  /** Answers each line of a batch with an error. */
  refusesLines?: boolean;
}

export type WorkState = "waiting" | "running" | "done" | "failed" | "cancelled";

export abstract class Work {
  state: WorkState = "waiting";
  done = 0;
  readonly createdAt = now();
  endedAt: number | null = null;

  constructor(
    readonly id: string,
    readonly units: number,
  ) {}

  /** One unit. */
  protected abstract doUnit(index: number, fault: TrainingFault): void;

  /** False when there is nothing left to do. */
  step(fault: TrainingFault): boolean {
    if (!this.isOpen) return false;
    if (fault.stalls) return true;
    this.state = "running";
    if (fault.fails) this.end("failed");
    else {
      this.doUnit(this.done, fault);
      this.done += 1;
      if (this.done >= this.units) this.end("done");
    }
    return this.isOpen;
  }

  cancel(): void {
    if (this.isOpen) this.end("cancelled");
  }

  get isOpen(): boolean {
    return this.state === "waiting" || this.state === "running";
  }

  private end(state: WorkState): void {
    this.state = state;
    this.endedAt = now();
  }
}

const now = (): number => Math.floor(Date.now() / 1000);
