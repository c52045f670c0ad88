/** Counts in memory what was observed per endpoint and minute, until it is written. */
import { countLatency } from "./latency-buckets";
import { type MinuteCounters, newMinuteCounters } from "./minute";

export interface EndpointMinute {
  readonly endpointId: string;
  readonly minuteMs: number;
  readonly counters: MinuteCounters;
}

export const MINUTE_MS = 60_000;
/** A thousand endpoints through more than an hour without a database; what comes after that is not evidence any more. */
const ENDPOINT_MINUTES_MAX = 100_000;

export const minuteOf = (atMs: number): number => Math.floor(atMs / MINUTE_MS) * MINUTE_MS;

export class MinuteCounts {
  private counted = new Map<string, EndpointMinute>();

  attempt(endpointId: string, atMs: number, outcome: { failed: boolean; ttftMs?: number | null | undefined }): void {
    const counters = this.countersOf(endpointId, atMs);
    if (counters === null) return;
    counters.requests += 1;
    if (outcome.failed) counters.failed += 1;
    if (outcome.ttftMs != null) countLatency(counters, outcome.ttftMs);
  }

  probe(endpointId: string, atMs: number, ok: boolean): void {
    const counters = this.countersOf(endpointId, atMs);
    if (counters === null) return;
    counters.probes += 1;
    if (!ok) counters.probesFailed += 1;
  }

  /** Hands over everything; what is observed from now on starts at zero. */
  take(): EndpointMinute[] {
    const taken = [...this.counted.values()];
    this.counted = new Map();
    return taken;
  }

  /** Adds back what could not be written. */
  putBack(minutes: readonly EndpointMinute[]): void {
    for (const { endpointId, minuteMs, counters } of minutes) {
      const present = this.countersOf(endpointId, minuteMs);
      if (present === null) continue;
      for (const name of Object.keys(counters) as (keyof MinuteCounters)[]) present[name] += counters[name];
    }
  }

  private countersOf(endpointId: string, atMs: number): MinuteCounters | null {
    const minuteMs = minuteOf(atMs);
    const key = `${minuteMs}|${endpointId}`;
    let minute = this.counted.get(key);
    if (minute === undefined) {
      if (this.counted.size >= ENDPOINT_MINUTES_MAX) return null;
      minute = { endpointId, minuteMs, counters: newMinuteCounters() };
      this.counted.set(key, minute);
    }
    return minute.counters;
  }
}
