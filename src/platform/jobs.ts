/** Periodic work inside a process: never two runs at once, a first failure is logged and the next run comes all the same. */
import type { Log } from "./log";
import { asSystem } from "./tenancy";

export interface Job {
  /**
   * Resolves after a run that began no earlier than this call; failures are in the log, not here.
   * Calls made while a run is in flight share the one run that follows it. After `stop` it resolves without running.
   */
  runNow(): Promise<void>;
  /** No further run; resolves when the run in flight has ended. */
  stop(): Promise<void>;
}

/** The interval is the pause between the end of one run and the start of the next; the first run comes after one interval. */
export function everyMs(name: string, intervalMs: number, work: () => Promise<void>, { log }: { log: Log }): Job {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let following: Promise<void> | undefined;
  let stopped = false;
  let failing = false;

  const schedule = () => {
    clearTimeout(timer);
    if (!stopped) timer = setTimeout(() => void run(), intervalMs).unref();
  };
  const attempt = async () => {
    try {
      await work();
      if (failing) log.info({ job: name }, "job works again");
      failing = false;
    } catch (err) {
      // An outage is one line per job, not ten a second.
      if (failing) log.debug({ err, job: name }, "job failed again");
      else log.error({ err, job: name }, "job failed, next run as planned");
      failing = true;
    }
  };
  const run = (): Promise<void> => {
    if (stopped) return running ?? Promise.resolve();
    clearTimeout(timer);
    if (!running) {
      // Nobody's request, although one may have asked for it; nor are the runs that the timer brings afterwards.
      running = asSystem(() =>
        attempt().then(() => {
          running = undefined;
          schedule();
        }),
      );
      return running;
    }
    following ??= running.then(() => {
      following = undefined;
      return run();
    });
    return following;
  };

  schedule();
  return {
    runNow: run,
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
