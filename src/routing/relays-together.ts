/** Adds up what several relays measure at one endpoint: every round of measurements becomes one sample of the whole. */
import type { UtilizationMeasurement, UtilizationSample } from "../events/topics";

interface Round {
  /** Whom this round has heard already. */
  readonly heard: Map<string, UtilizationMeasurement>;
  /** The newest of each relay, whichever round it belongs to. */
  readonly newest: Map<string, { readonly measurement: UtilizationMeasurement; readonly heardAtMs: number }>;
}

/** A relay that was not heard for three measurements has ended. */
const SILENT_AFTER_MS = 3_000;
/** Endpoints that nobody measures any more are forgotten. */
const FORGOTTEN_AFTER_MS = 60_000;
const PPM = 1_000_000n;

export class RelaysTogether {
  private readonly rounds = new Map<string, Round>();
  private sweptAtMs = 0;

  /**
   * The samples that are complete with this measurement: a round ends when every live relay was heard in it, or when one
   * is heard a second time, for it must not be counted twice. With one relay that is a sample per measurement.
   */
  heard(measurement: UtilizationMeasurement, nowMs: number): UtilizationSample[] {
    const { endpointId, instance } = measurement;
    this.sweep(nowMs);
    let round = this.rounds.get(endpointId);
    if (round === undefined) {
      round = { heard: new Map(), newest: new Map() };
      this.rounds.set(endpointId, round);
    }
    const samples: UtilizationSample[] = [];
    if (round.heard.has(instance)) samples.push(close(round));
    round.heard.set(instance, measurement);
    round.newest.set(instance, { measurement, heardAtMs: nowMs });
    for (const [other, { heardAtMs }] of round.newest) {
      if (nowMs - heardAtMs > SILENT_AFTER_MS) round.newest.delete(other);
    }
    if ([...round.newest.keys()].every((other) => round.heard.has(other))) samples.push(close(round));
    return samples;
  }

  private sweep(nowMs: number): void {
    if (nowMs - this.sweptAtMs < FORGOTTEN_AFTER_MS) return;
    this.sweptAtMs = nowMs;
    for (const [endpointId, { newest }] of this.rounds) {
      const live = [...newest.values()].some(({ heardAtMs }) => nowMs - heardAtMs < FORGOTTEN_AFTER_MS);
      if (!live) this.rounds.delete(endpointId);
    }
  }
}

function close(round: Round): UtilizationSample {
  const newest = [...round.newest.values()].map(({ measurement }) => measurement);
  const sample = together([...round.heard.values()], newest);
  round.heard.clear();
  return sample;
}

/** What was served since the last sample is the sum of `spans`; what is going on now, and the last minute, the sum of `newest`. */
export function together(
  spans: readonly UtilizationMeasurement[],
  newest: readonly UtilizationMeasurement[],
): UtilizationSample {
  const latest = newest.reduce((a, b) => (b.at > a.at ? b : a));
  const sold = sum(newest.map(({ minute }) => minute.soldGpuNanos));
  const active = sum(newest.map(({ minute }) => minute.activeGpuNanos));
  // All relays list the same GPUs: the one that has watched longest knows the whole minute.
  const listed = newest.map(({ minute }) => BigInt(minute.listedGpuNanos)).reduce((a, b) => (b > a ? b : a));
  return {
    endpointId: latest.endpointId,
    providerId: latest.providerId,
    at: latest.at,
    listedGpus: latest.listedGpus,
    slots: latest.slots,
    inFlight: newest.reduce((total, { inFlight }) => total + inFlight, 0),
    soldGpuNanos: sum(spans.map(({ soldGpuNanos }) => soldGpuNanos)).toString(),
    activeGpuNanos: sum(spans.map(({ activeGpuNanos }) => activeGpuNanos)).toString(),
    fillPpm: sharePpm(sold, listed),
    utilizationPpm: sharePpm(active, sold),
  };
}

const sum = (values: readonly string[]): bigint => values.reduce((total, value) => total + BigInt(value), 0n);

/** 0 when there is nothing to share. Tokens may account for more than the slot time (batched decoding): then it is full. */
function sharePpm(part: bigint, whole: bigint): number {
  if (whole <= 0n) return 0;
  const share = (part * PPM) / whole;
  return Number(share > PPM ? PPM : share);
}
