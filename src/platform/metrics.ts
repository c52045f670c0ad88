/** One registry of Prometheus metrics per process; label names are part of each metric's type. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

interface MetricOptions<Label extends string> {
  /** Units last: `…_seconds`, `…_bytes`, `…_total`. */
  name: string;
  help: string;
  labels?: readonly Label[];
}

interface GaugeOptions<Label extends string> extends MetricOptions<Label> {
  /** Asked at each scrape, for values that are cheaper to read than to follow. */
  read?: () => number;
}

interface HistogramOptions<Label extends string> extends MetricOptions<Label> {
  /** Upper bounds in the metric's unit, ascending. */
  buckets: readonly number[];
}

export interface Metrics {
  counter<Label extends string = never>(options: MetricOptions<Label>): Counter<Label>;
  gauge<Label extends string = never>(options: GaugeOptions<Label>): Gauge<Label>;
  histogram<Label extends string = never>(options: HistogramOptions<Label>): Histogram<Label>;
  /** What a scrape is answered with. */
  text(): Promise<string>;
  contentType: string;
  registry: Registry;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const base = <Label extends string>({ name, help, labels = [] }: MetricOptions<Label>) => ({
    name,
    help,
    labelNames: labels,
    registers: [registry],
  });
  return {
    counter: (options) => new Counter(base(options)),
    gauge: (options) => createGauge(base(options), options.read),
    histogram: (options) => new Histogram({ ...base(options), buckets: [...options.buckets] }),
    text: () => registry.metrics(),
    contentType: registry.contentType,
    registry,
  };
}

function createGauge<Label extends string>(
  base: { name: string; help: string; labelNames: readonly Label[]; registers: Registry[] },
  read: (() => number) | undefined,
): Gauge<Label> {
  if (!read) return new Gauge(base);
  const gauge: Gauge<Label> = new Gauge({ ...base, collect: () => gauge.set(read()) });
  return gauge;
}
