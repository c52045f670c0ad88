/** The workload metrics of a process that looks after jobs, as Prometheus would read them. */
import { createMetrics } from "../../src/platform/metrics";
import { watchWorkloads } from "../../src/workloads/workload-metrics";
import type { Workloads } from "../../src/workloads/workloads";

export function metricsText(workloads: Workloads): () => Promise<string> {
  const metrics = createMetrics();
  watchWorkloads(metrics, workloads);
  return () => metrics.text();
}
