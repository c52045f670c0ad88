/** The relay's figures for Prometheus. */
import type { Metering } from "../metering/metering";
import type { Metrics } from "../platform/metrics";
import type { Routing } from "../routing/routing";

export type RelayMetrics = ReturnType<typeof createRelayMetrics>;

/** In doubles, as Prometheus takes them: figures to look at, not to add up. */
const whole = (nano: bigint): number => Number(nano);

export function createRelayMetrics(metrics: Metrics, { routing, metering }: { routing: Routing; metering: Metering }) {
  metrics.gauge({
    name: "exergy_routing_decisions_dropped",
    help: "Routing decisions that were not written since the start.",
    read: () => routing.droppedDecisions,
  });
  metrics.gauge({
    name: "exergy_leases_open",
    help: "Leases that this process has, those included that are going back.",
    read: () => metering.leaseFigures.leases,
  });
  metrics.gauge({
    name: "exergy_lease_free_nano",
    help: "Nano-credits that this process has borrowed and not set aside.",
    read: () => whole(metering.leaseFigures.freeNanoCredit),
  });
  metrics.gauge({
    name: "exergy_lease_set_aside_nano",
    help: "Nano-credits of leases that running requests may use up.",
    read: () => whole(metering.leaseFigures.setAsideNanoCredit),
  });
  return {
    holds: metrics.counter<"source">({
      name: "exergy_holds_total",
      help: "Requests that credit was set aside for, from a lease of this process or by a commit of the ledger.",
      labels: ["source"],
    }),
    holdSeconds: metrics.histogram({
      name: "exergy_hold_seconds",
      help: "From asking for a request's credit to having it.",
      buckets: [0.000_005, 0.000_01, 0.000_02, 0.000_05, 0.000_2, 0.001, 0.005, 0.02, 0.1, 0.5, 2],
    }),
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
