/** The relay's figures for Prometheus. */
import type { Metrics } from "../platform/metrics";
import type { Routing } from "../routing/routing";

export type RelayMetrics = ReturnType<typeof createRelayMetrics>;

export function createRelayMetrics(metrics: Metrics, routing: Routing) {
  metrics.gauge({
    name: "exergy_routing_decisions_dropped",
    help: "Routing decisions that were not written since the start.",
    read: () => routing.droppedDecisions,
  });
  return {
    requests: metrics.counter<"outcome">({
      name: "exergy_relay_requests_total",
      help: "Requests by how they ended.",
      labels: ["outcome"],
    }),
    attemptFailures: metrics.counter<"cause">({
      name: "exergy_relay_attempt_failures_total",
      help: "Attempts at providers that failed, by cause.",
      labels: ["cause"],
    }),
    firstToken: metrics.histogram({
      name: "exergy_relay_first_token_seconds",
      help: "From a streamed request's arrival to its first content byte.",
      buckets: [0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30],
    }),
    inFlight: metrics.gauge({ name: "exergy_relay_in_flight", help: "Requests being served." }),
  };
}
