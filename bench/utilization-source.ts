/** The event source of the live bench: samples of made-up endpoints on the process's own bus, stamped with the machine's clock. */
import type { UtilizationSample } from "../src/events/topics";
import { newId } from "../src/platform/ids";
import type { Services } from "../src/services";

export interface Pace {
  readonly everyMs: number;
  readonly eventsEach: number;
  readonly durationMs: number;
}

export function utilizationSource({ bus }: Pick<Services, "bus">, providerId: string) {
  const endpointIds: string[] = [];
  /** Each of another endpoint: no sample replaces one before it. */
  const publish = (events: number) => {
    for (let n = 0; n < events; n++) {
      endpointIds[n] ??= newId();
      bus.publish("utilization.sampled", sample(endpointIds[n]!, providerId));
    }
  };
  return {
    publish,
    pace: ({ everyMs, eventsEach, durationMs }: Pace) =>
      new Promise<number>((resolve) => {
        const startedMs = performance.now();
        let due = 1;
        let published = 0;
        const tick = () => {
          publish(eventsEach);
          published += eventsEach;
          due += 1;
          if (due * everyMs > durationMs) return resolve(published);
          setTimeout(tick, Math.max(0, startedMs + due * everyMs - performance.now()));
        };
        setTimeout(tick, everyMs);
      }),
  };
}

/** The GPU time carries the instant of its publication: nanoseconds of the clock that all processes of a machine share. */
function sample(endpointId: string, providerId: string): UtilizationSample {
  return {
    endpointId,
    providerId,
    at: new Date().toISOString(),
    listedGpus: 8,
    slots: 64,
    inFlight: 17,
    soldGpuNanos: process.hrtime.bigint().toString(),
    activeGpuNanos: "7123456789",
    fillPpm: 812_345,
    utilizationPpm: 654_321,
  };
}
