/** One registry of Prometheus metrics per process; label names are part of each metric's type. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { joinMetricTexts } from "./metrics-text";
import { Distribution, Tally } from "./tallies";

interface MetricOptions<Label extends string> {
  /** Units last: `…_seconds`, `…_bytes`, `…_total`. */
  name: string;
  help: string;
  labels?: readonly Label[];
}

interface GaugeOptions<Label extends string> extends MetricOptions<Label> {
  /** Asked at each scrape, for values that are cheaper to read than to follow. */
  read?: () => number;
  /** The same for one with labels: all series that there are at the moment. */
  readAll?: () => Iterable<readonly [labels: Record<Label, string>, value: number]>;
}

interface HistogramOptions<Label extends string> extends MetricOptions<Label> {
  /** Upper bounds in the metric's unit, ascending. */
  buckets: readonly number[];
}

export interface Metrics {
  counter<Label extends string = never>(options: MetricOptions<Label>): Counter<Label>;
  gauge<Label extends string = never>(options: GaugeOptions<Label>): Gauge<Label>;
  histogram<Label extends string = never>(options: HistogramOptions<Label>): Histogram<Label>;
  /** A counter for what happens at every request. */
  tally<Label extends string>(options: MetricOptions<Label>): Tally<Label>;
  /** A histogram for what happens at every request. */
  distribution(options: HistogramOptions<never>): Distribution;
  /** What a scrape is answered with. */
  text(): Promise<string>;
  /** Texts of other processes, which a scrape of this one is answered with as well. */
  alsoOf(others: () => Promise<readonly string[]>): void;
  contentType: string;
  registry: Registry;
}

/** `process`: of several that are scraped together, which this one is. */
export function createMetrics({ process }: { process?: number } = {}): Metrics {
  const registry = new Registry();
  if (process !== undefined) registry.setDefaultLabels({ process: `${process}` });
  let others = async (): Promise<readonly string[]> => [];
  collectDefaultMetrics({ register: registry });
  const base = <Label extends string>({ name, help, labels = [] }: MetricOptions<Label>) => ({
    name,
    help,
    labelNames: labels,
    registers: [registry],
  });
  return {
    counter: (options) => new Counter(base(options)),
    gauge: (options) => createGauge(base(options), options),
    tally: ({ name, help, labels = [] }) => registered(registry, new Tally(name, help, labels)),
    distribution: ({ name, help, buckets }) => registered(registry, new Distribution(name, help, buckets)),
    histogram: (options) => new Histogram({ ...base(options), buckets: [...options.buckets] }),
    async text() {
      const [own, theirs] = await Promise.all([registry.metrics(), others()]);
      return joinMetricTexts([own, ...theirs]);
    },
    alsoOf(read) {
      others = read;
    },
    contentType: registry.contentType,
    registry,
  };
}

function createGauge<Label extends string>(
  base: { name: string; help: string; labelNames: readonly Label[]; registers: Registry[] },
  { read, readAll }: Pick<GaugeOptions<Label>, "read" | "readAll">,
): Gauge<Label> {
  if (!read && !readAll) return new Gauge(base);
  const collect = () => {
    if (read) return gauge.set(read());
    gauge.reset();
    for (const [labels, value] of readAll!()) gauge.set(labels as never, value);
  };
  const gauge: Gauge<Label> = new Gauge({ ...base, collect });
  return gauge;
}

/** A registry asks of a metric no more than Tally and Distribution have; its type names the classes of prom-client. */
function registered<Metric extends Tally<string> | Distribution>(registry: Registry, metric: Metric): Metric {
  registry.registerMetric(metric as unknown as Counter);
  return metric;
}
