/** Figures of who waited and who was turned away, by cause. */
import type { Metrics } from "../platform/metrics";
import type { Routing } from "../routing/routing";

export type AdmissionMetrics = ReturnType<typeof createAdmissionMetrics>;

export function createAdmissionMetrics(metrics: Metrics, routing: Routing) {
  metrics.gauge({
    name: "exergy_relay_queue_depth",
    help: "Requests that wait for a slot at a provider.",
    read: () => routing.queueDepth,
  });
  return {
    refusals: metrics.counter<"cause">({
      name: "exergy_relay_refusals_total",
      help: "Requests that were turned away for there being too many: key_ or organisation_ requests, tokens or concurrency; queue_full, queue_timeout, in_flight.",
      labels: ["cause"],
    }),
    queueWait: metrics.histogram<"end">({
      name: "exergy_relay_queue_wait_seconds",
      help: "How long requests waited for a slot, by how the wait ended: served, timeout, full (another startup's turn), left.",
      labels: ["end"],
      buckets: [0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2],
    }),
    flights: metrics.counter<"result">({
      name: "exergy_relay_limits_borrowed_total",
      help: "Round trips to Redis for the limits that processes share: granted, refused, failed.",
      labels: ["result"],
    }),
  };
}
