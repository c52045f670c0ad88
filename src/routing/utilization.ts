/** Turns what a relay serves into live figures per endpoint: GPU time sold (slots taken) and active (tokens delivered). */
import type { UtilizationSample } from "../events/topics";

interface Meter {
  inFlight: number;
  changedAtMs: number;
  /** Slot time since the last sample, milliseconds × slots taken. */
  slotMs: number;
  activeGpuNanos: bigint;
  readonly history: { soldGpuNanos: bigint; activeGpuNanos: bigint; listedGpuNanos: bigint }[];
  sampledAtMs: number;
}

export interface MeteredEndpoint {
  readonly endpointId: string;
  readonly providerId: string;
  readonly slots: number;
  readonly gpuCount: number;
  readonly listedGpus: number;
}

/** One minute of one-second samples. */
const HISTORY_MAX = 60;
const PPM = 1_000_000n;
const NANOS_PER_MS = 1_000_000;

export class UtilizationMeter {
  private readonly meters = new Map<string, Meter>();

  /** Call whenever the number of requests in flight at an endpoint changes. */
  inFlightChanged(endpointId: string, inFlight: number, nowMs: number): void {
    const meter = this.meterOf(endpointId, nowMs);
    meter.slotMs += meter.inFlight * (nowMs - meter.changedAtMs);
    meter.inFlight = inFlight;
    meter.changedAtMs = nowMs;
  }

  delivered(endpointId: string, gpuNanos: bigint, nowMs: number): void {
    this.meterOf(endpointId, nowMs).activeGpuNanos += gpuNanos;
  }

  /** Closes the span since the last sample. Shares are over the last minute of samples. */
  sample(endpoint: MeteredEndpoint, nowMs: number): UtilizationSample {
    const meter = this.meterOf(endpoint.endpointId, nowMs);
    this.inFlightChanged(endpoint.endpointId, meter.inFlight, nowMs);
    const soldGpuNanos = BigInt(Math.round((meter.slotMs * NANOS_PER_MS * endpoint.gpuCount) / endpoint.slots));
    const listedGpuNanos = BigInt(Math.round((nowMs - meter.sampledAtMs) * NANOS_PER_MS * endpoint.listedGpus));
    const { activeGpuNanos } = meter;
    meter.history.push({ soldGpuNanos, activeGpuNanos, listedGpuNanos });
    if (meter.history.length > HISTORY_MAX) meter.history.shift();
    meter.slotMs = 0;
    meter.activeGpuNanos = 0n;
    meter.sampledAtMs = nowMs;
    const sold = sum(meter.history.map((span) => span.soldGpuNanos));
    return {
      endpointId: endpoint.endpointId,
      providerId: endpoint.providerId,
      at: new Date(nowMs).toISOString(),
      listedGpus: endpoint.listedGpus,
      slots: endpoint.slots,
      inFlight: meter.inFlight,
      soldGpuNanos: soldGpuNanos.toString(),
      activeGpuNanos: activeGpuNanos.toString(),
      fillPpm: sharePpm(sold, sum(meter.history.map((span) => span.listedGpuNanos))),
      utilizationPpm: sharePpm(sum(meter.history.map((span) => span.activeGpuNanos)), sold),
    };
  }

  private meterOf(endpointId: string, nowMs: number): Meter {
    let meter = this.meters.get(endpointId);
    if (meter === undefined) {
      meter = { inFlight: 0, changedAtMs: nowMs, slotMs: 0, activeGpuNanos: 0n, history: [], sampledAtMs: nowMs };
      this.meters.set(endpointId, meter);
    }
    return meter;
  }
}

const sum = (values: readonly bigint[]): bigint => values.reduce((total, value) => total + value, 0n);

/** 0 when there is nothing to share. Tokens may account for more than the slot time (batched decoding): then it is full. */
function sharePpm(part: bigint, whole: bigint): number {
  if (whole <= 0n) return 0;
  const share = (part * PPM) / whole;
  return Number(share > PPM ? PPM : share);
}
