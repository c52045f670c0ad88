/** Ends the process in order: whatever was opened last is stopped first, once, within a deadline; the only caller of process.exit in src. */
import { type Clock, systemClock } from "./clock";
import type { Log } from "./log";

export interface ShutdownOptions {
  log: Log;
  /** For all steps together; then the process ends with exit code 1. */
  deadlineMs?: number;
  clock?: Clock;
  /** The process, unless a test stands in for it. */
  host?: ShutdownHost;
}

export interface ShutdownHost {
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  exit(code: number): void;
}

export interface Shutdown {
  /** Stops run in reverse order of adding. */
  add(name: string, stop: () => Promise<void> | void): void;
  /** Runs the stops and exits: `exitCode`, or 1 when it was 0 and a stop failed. A later call joins the first. */
  stop(reason: string, exitCode?: number): Promise<void>;
}

interface Step {
  name: string;
  stop: () => Promise<void> | void;
}

/** npm passes a Ctrl-C on to a child that the terminal has told already: a second signal this soon is no impatience. */
const echoMs = 500;

export function installShutdown({
  log,
  deadlineMs = 30_000,
  clock = systemClock,
  host = process,
}: ShutdownOptions): Shutdown {
  const steps: Step[] = [];
  let ending: Promise<void> | undefined;
  let firstSignalAtMs: number | undefined;

  const stop = (reason: string, exitCode = 0): Promise<void> => {
    ending ??= stopAll(steps, { log, deadlineMs, reason }).then((clean) => host.exit(clean ? exitCode : exitCode || 1));
    return ending;
  };
  const onSignal = (signal: NodeJS.Signals) => {
    if (firstSignalAtMs === undefined) {
      firstSignalAtMs = clock.nowMs();
      void stop(signal);
    } else if (clock.nowMs() - firstSignalAtMs > echoMs) {
      log.warn({ signal }, "second signal, leaving at once");
      host.exit(signal === "SIGINT" ? 130 : 143);
    }
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) host.on(signal, onSignal);
  return { add: (name, step) => void steps.push({ name, stop: step }), stop };
}

async function stopAll(
  steps: Step[],
  { log, deadlineMs, reason }: { log: Log; deadlineMs: number; reason: string },
): Promise<boolean> {
  log.info({ reason }, "stopping");
  let clean = true;
  let current = "";
  const inOrder = async () => {
    // A step added while stopping is stopped too: popping sees it.
    for (let step = steps.pop(); step; step = steps.pop()) {
      current = step.name;
      try {
        await step.stop();
      } catch (err) {
        clean = false;
        log.error({ err, step: step.name }, "could not stop cleanly, going on");
      }
    }
    return clean;
  };
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => {
      log.error({ step: current, deadlineMs }, "stopping takes too long, leaving");
      resolve(false);
    }, deadlineMs);
  });
  return Promise.race([inOrder(), deadline]).finally(() => clearTimeout(timer));
}
