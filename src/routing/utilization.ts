/** Measures what this relay serves at each endpoint: GPU time sold (slots taken) and active (tokens delivered). */
import type { UtilizationMeasurement } from "../events/topics";

interface Meter {
  inFlight: number;
  changedAtMs: number;
  /** Slot time since the last measurement, milliseconds × slots taken. */
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

/** One minute of one-second measurements. */
const HISTORY_MAX = 60;
const NANOS_PER_MS = 1_000_000;

export class UtilizationMeter {
  private readonly meters = new Map<string, Meter>();

  constructor(private readonly instance: string) {}

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

  /** Closes the span since the last measurement. */
  measure(endpoint: MeteredEndpoint, nowMs: number): UtilizationMeasurement {
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
    return {
      instance: this.instance,
      endpointId: endpoint.endpointId,
      providerId: endpoint.providerId,
      at: new Date(nowMs).toISOString(),
      listedGpus: endpoint.listedGpus,
      slots: endpoint.slots,
      inFlight: meter.inFlight,
      soldGpuNanos: soldGpuNanos.toString(),
      activeGpuNanos: activeGpuNanos.toString(),
      minute: {
        soldGpuNanos: sum(meter.history.map((span) => span.soldGpuNanos)).toString(),
        activeGpuNanos: sum(meter.history.map((span) => span.activeGpuNanos)).toString(),
        listedGpuNanos: sum(meter.history.map((span) => span.listedGpuNanos)).toString(),
      },
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
