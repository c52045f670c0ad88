/** Traces and metrics of requests by OpenTelemetry's conventions for generative AI, sent over OTLP/HTTP. Loaded only where an endpoint is configured. */
import { DiagLogLevel, diag } from "@opentelemetry/api";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import type { Log } from "../platform/log";
import type { Watcher } from "./observation";
import { genAiMetrics } from "./telemetry-metrics";
import { genAiSpans } from "./telemetry-spans";

export interface TelemetryOptions {
  /** Of the collector; `/v1/traces` and `/v1/metrics` are added. */
  readonly endpoint: string;
  readonly version: string;
  readonly log: Log;
}

export interface Telemetry {
  readonly watch: Watcher;
  /** Sends what waits. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** A collector that is away takes no more than this of a shutdown. */
const CLOSE_PATIENCE_MS = 3_000;

export function openTelemetry({ endpoint, version, log }: TelemetryOptions): Telemetry {
  reportFaults(log);
  const base = endpoint.replace(/\/+$/, "");
  const resource = resourceFromAttributes({ "service.name": "exergy-relay", "service.version": version });
  const traces = new BasicTracerProvider({
    resource,
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: `${base}/v1/traces` }))],
  });
  const metrics = new MeterProvider({
    resource,
    readers: [new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter({ url: `${base}/v1/metrics` }) })],
  });
  const trace = genAiSpans(traces.getTracer("exergy-relay", version));
  const measure = genAiMetrics(metrics.getMeter("exergy-relay", version));
  const withinPatience = async (work: Promise<unknown>[]) => {
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise((resolve) => {
      timer = setTimeout(resolve, CLOSE_PATIENCE_MS);
    });
    await Promise.race([Promise.allSettled(work), patience]);
    clearTimeout(timer);
  };
  return {
    watch(seen) {
      trace(seen);
      measure(seen);
    },
    flush: () => withinPatience([traces.forceFlush(), metrics.forceFlush()]),
    close: () => withinPatience([traces.shutdown(), metrics.shutdown()]),
  };
}

/** The first line of a fault; what was to be sent is in none of them. */
function reportFaults(log: Log): void {
  const tell = (message: string) => log.warn({ reason: String(message).slice(0, 200) }, "telemetry could not be sent");
  const nothing = () => undefined;
  diag.setLogger({ error: tell, warn: nothing, info: nothing, debug: nothing, verbose: nothing }, DiagLogLevel.ERROR);
}
