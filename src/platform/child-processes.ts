/** Keeps as many processes of one program alive as were asked for, behind ports that they share; the dead are replaced. */
import cluster, { type Worker } from "node:cluster";
import type { Log } from "./log";
import { type Channel, ProcessLine } from "./process-line";

export interface ChildProcessesOptions {
  /** The file that each of them runs. It calls `beginAsChild` first. */
  readonly program: string;
  readonly count: number;
  /** What each is told first; `number` counts them from 1, and a replacement has the number of the dead. */
  readonly beginningOf: (number: number) => unknown;
  /** Told of each new one before it runs; what it returns, when that one is gone. */
  readonly joined: (line: ProcessLine) => () => void;
  readonly log: Log;
}

/** One that never came up, with what it said. */
export class ChildFailed extends Error {
  override readonly name = "ChildFailed";
  readonly code = "CHILD_FAILED";
}

/** After a death; twice as long after each further one, until one has lived for STEADY_MS. */
const PAUSE_MS_MIN = 250;
const PAUSE_MS_MAX = 10_000;
const STEADY_MS = 30_000;

interface Child {
  readonly worker: Worker;
  readonly line: ProcessLine;
  readonly gone: Promise<void>;
}

export class ChildProcesses {
  /** How often one ended that nobody had told to. */
  deaths = 0;
  private readonly live = new Map<number, Child>();
  private readonly pauses = new Set<NodeJS.Timeout>();
  private stopping = false;

  constructor(private readonly options: ChildProcessesOptions) {
    // The kernel hands out connections. Round robin would lead each of them through this process, and make it wait for
    // whatever this process is busy with: p99 of a new connection 25 ms instead of 8 beside 20 ms of other work.
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    cluster.setupPrimary({ exec: options.program, args: [], serialization: "advanced" });
  }

  /** How many are alive. */
  get alive(): number {
    return this.live.size;
  }

  get lines(): readonly ProcessLine[] {
    return [...this.live.values()].map(({ line }) => line);
  }

  /** Resolves with what each said that it is up with, when all are. Errors: ChildFailed, and the others are ended. */
  async start(): Promise<readonly unknown[]> {
    const numbers = Array.from({ length: this.options.count }, (_, index) => index + 1);
    try {
      return await Promise.all(numbers.map((number) => this.fork(number, PAUSE_MS_MIN)));
    } catch (error) {
      await this.stop(0);
      throw error;
    }
  }

  /** Tells all to end, and ends by force whoever has not within `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.stopping = true;
    for (const pause of this.pauses) clearTimeout(pause);
    const children = [...this.live.values()];
    for (const { line } of children) line.tell("stop");
    const force = setTimeout(() => {
      for (const { worker } of children) worker.process.kill("SIGKILL");
    }, graceMs);
    await Promise.all(children.map(({ gone }) => gone));
    clearTimeout(force);
  }

  private fork(number: number, pauseMs: number): Promise<unknown> {
    const { beginningOf, joined, log } = this.options;
    const worker = cluster.fork();
    const line = new ProcessLine(worker.process as Channel);
    const left = joined(line);
    const bornMs = performance.now();
    return new Promise((resolve, reject) => {
      let failure = "A process that should have come up ended without a word.";
      let up = false;
      line.on("up", (said) => {
        up = true;
        resolve(said);
      });
      line.on<string>("failed", (message) => {
        failure = message;
      });
      const gone = new Promise<void>((ended) => {
        worker.once("exit", (code: number | null, signal: string | null) => {
          this.live.delete(number);
          left();
          ended();
          reject(new ChildFailed(failure));
          if (this.stopping) return;
          this.deaths += 1;
          log.error(
            { number, code, signal, ...(up ? {} : { failure }) },
            "a process ended, another one takes its place",
          );
          this.replace(number, performance.now() - bornMs > STEADY_MS ? PAUSE_MS_MIN : pauseMs);
        });
      });
      this.live.set(number, { worker, line, gone });
      line.tell("begin", { number, beginning: beginningOf(number) });
    });
  }

  private replace(number: number, pauseMs: number): void {
    const pause = setTimeout(() => {
      this.pauses.delete(pause);
      const next = Math.min(pauseMs * 2, PAUSE_MS_MAX);
      // One that fails is replaced in its turn: whoever waited for the first ones has gone on.
      this.fork(number, next).then(
        () => this.options.log.info({ number }, "a process took the place of one that ended"),
        () => undefined,
      );
    }, pauseMs);
    this.pauses.add(pause);
  }
}

/** The line to the parent, and what it says first. For the program that ChildProcesses runs. */
export async function beginAsChild<Beginning>(): Promise<{ line: ProcessLine; number: number; beginning: Beginning }> {
  const line = new ProcessLine(process as Channel);
  return new Promise((resolve) => {
    line.on<{ number: number; beginning: Beginning }>("begin", (said) => resolve({ line, ...said }));
  });
}
