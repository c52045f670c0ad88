/** Figures of jobs for Prometheus, where a worker looks after them. */
import type { Metrics } from "../platform/metrics";
import type { Workloads } from "./workloads";

export function watchWorkloads(metrics: Metrics, workloads: Pick<Workloads, "whenUncaptured" | "tended">): void {
  const uncaptured = metrics.counter<"kind">({
    name: "exergy_workload_jobs_uncaptured_total",
    help: "Jobs that ended without a charge although they had run: each wants somebody to look at it.",
    labels: ["kind"],
  });
  workloads.whenUncaptured(({ kind }) => uncaptured.inc({ kind }));
  metrics.gauge({
    name: "exergy_workload_jobs_tended",
    help: "Jobs that this worker is looking after at this moment.",
    read: () => workloads.tended,
  });
}
