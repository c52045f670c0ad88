/** A stop-watch for limits of milliseconds on a machine that does other things as well: it stands still while this process does not get to run. */

const TICK_MS = 2;

export interface OwnTime {
  /** So far. */
  ms(): number;
  /** In the end. */
  stop(): number;
}

/** Gaps between ticks that should be 2 ms apart are time that the process did not have, and not anybody's delay. */
export function ownTime(): OwnTime {
  const startedMs = performance.now();
  let lastMs = startedMs;
  let stoodStillMs = 0;
  const tick = () => {
    const nowMs = performance.now();
    const gapMs = nowMs - lastMs;
    if (gapMs > 2 * TICK_MS) stoodStillMs += gapMs - TICK_MS;
    lastMs = nowMs;
  };
  const timer = setInterval(tick, TICK_MS);
  const ms = () => {
    tick();
    return lastMs - startedMs - stoodStillMs;
  };
  return {
    ms,
    stop() {
      clearInterval(timer);
      return ms();
    },
  };
}
