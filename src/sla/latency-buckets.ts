/** Counts one time to first content byte into a minute's cumulative latency counts. */
import type { MinuteCounters } from "./minute";

/** `ttftMs` ≥ 0; what is no time (a clock that jumped) is no sample. A limit includes its own millisecond. */
export function countLatency(counters: MinuteCounters, ttftMs: number): void {
  if (!(ttftMs >= 0) || ttftMs === Number.POSITIVE_INFINITY) return;
  counters.ttftSamples += 1;
  if (ttftMs <= 500) counters.within500Ms += 1;
  if (ttftMs <= 200) counters.within200Ms += 1;
  if (ttftMs <= 100) counters.within100Ms += 1;
}
