/** The relay's figures for Prometheus. Labels come from lists of ours and from ids of endpoints: never from what a client or a provider wrote. */
import type { Metering } from "../metering/metering";
import type { Metrics } from "../platform/metrics";
import type { BreakerState } from "../routing/cooldown";
import type { Routing } from "../routing/routing";
import type { Observation, Outcome } from "./observation";
import type { RetryBudget } from "./retry-budget";

export type RelayMetrics = ReturnType<typeof createRelayMetrics>;

export interface MeasuredRelay {
  readonly routing: Routing;
  readonly metering: Metering;
  readonly retryBudget: RetryBudget;
}

/** In doubles, as Prometheus takes them: figures to look at, not to add up. */
const whole = (nano: bigint): number => Number(nano);

const breakerValues: Readonly<Record<BreakerState, number>> = { CLOSED: 0, HALF_OPEN: 1, OPEN: 2 };

/** Outcomes of a stream whose first content went out. */
const streamEnds: Readonly<Partial<Record<Outcome, string>>> = {
  completed: "done",
  aborted: "client_gone",
  cut: "upstream_cut",
  unsettled: "unsettled",
};

export function createRelayMetrics(metrics: Metrics, measured: MeasuredRelay) {
  const open = new Set<Observation>();
  gaugeCredit(metrics, measured.metering);
  gaugeRouting(metrics, measured);
  gaugeOpen(metrics, open);
  const perRequest = measureRequests(metrics);
  return {
    ...perRequest,
    holds: metrics.tally<"source">({
      name: "exergy_holds_total",
      help: "Requests that credit was set aside for, from a lease of this process or by a commit of the ledger.",
      labels: ["source"],
    }),
    holdSeconds: metrics.distribution({
      name: "exergy_hold_seconds",
      help: "From asking for a request's credit to having it.",
      buckets: [0.000_005, 0.000_01, 0.000_02, 0.000_05, 0.000_2, 0.001, 0.005, 0.02, 0.1, 0.5, 2],
    }),
    repetitions: metrics.counter<"kind">({
      name: "exergy_relay_repetitions_total",
      help: "Requests that were answered from an earlier one: kept under their idempotency key, joined or replayed as a retry, or known elsewhere.",
      labels: ["kind"],
    }),
    attemptFailures: metrics.counter<"cause">({
      name: "exergy_relay_attempt_failures_total",
      help: "Attempts at providers that failed, by cause.",
      labels: ["cause"],
    }),
    inFlight: metrics.gauge({ name: "exergy_relay_in_flight", help: "Requests being served." }),
    admitted(seen: Observation): void {
      open.add(seen);
    },
    ended(seen: Observation): void {
      open.delete(seen);
      perRequest.count(seen);
    },
  };
}

function measureRequests(metrics: Metrics) {
  const requests = metrics.tally<"operation" | "outcome">({
    name: "exergy_relay_requests_total",
    help: "Requests by what was asked for and how they ended.",
    labels: ["operation", "outcome"],
  });
  const ends = metrics.tally<"cause">({
    name: "exergy_relay_stream_ends_total",
    help: "Streams whose first content went out, by what ended them.",
    labels: ["cause"],
  });
  const tokens = metrics.tally<"direction">({
    name: "exergy_relay_tokens_total",
    help: "Tokens that were charged: input of prompts, output of answers.",
    labels: ["direction"],
  });
  const bytes = metrics.tally<"direction">({
    name: "exergy_relay_bytes_total",
    help: "Bytes of bodies: in from clients, out to them.",
    labels: ["direction"],
  });
  const overhead = metrics.distribution({
    name: "exergy_relay_overhead_seconds",
    help: "Of an admitted request: the time in this process, without the provider's and the client's sending.",
    buckets: [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1],
  });
  const duration = metrics.distribution({
    name: "exergy_relay_request_seconds",
    help: "Of an admitted request: from its arrival to its end.",
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600],
  });
  const firstToken = metrics.distribution({
    name: "exergy_relay_first_token_seconds",
    help: "From a streamed request's arrival to its first content byte.",
    buckets: [0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30],
  });
  const gaps = metrics.distribution({
    name: "exergy_relay_token_gap_seconds",
    help: "Between two arrivals of content, in one stream of eight; tokens that arrive together are one arrival.",
    buckets: [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
  });
  const settle = metrics.distribution({
    name: "exergy_relay_settle_seconds",
    help: "From the end of a provider's answer to the commit of what it cost.",
    buckets: [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2, 5],
  });
  return {
    requests,
    content(seen: Observation): void {
      const gapMs = seen.content();
      if (gapMs !== null) gaps.observe(gapMs / 1_000);
    },
    count(seen: Observation): void {
      // A fault of ours is counted where it is answered.
      if (seen.outcome !== "internal") requests.inc({ operation: seen.operation, outcome: seen.outcome });
      overhead.observe(seen.overheadMs / 1_000);
      duration.observe(seen.durationMs / 1_000);
      if (seen.settleMs !== null) settle.observe(seen.settleMs / 1_000);
      bytes.inc({ direction: "in" }, seen.bytesIn);
      bytes.inc({ direction: "out" }, seen.bytesOut);
      if (seen.promptTokens > 0) tokens.inc({ direction: "input" }, seen.promptTokens);
      if (seen.completionTokens > 0) tokens.inc({ direction: "output" }, seen.completionTokens);
      if (!seen.streamed || seen.firstContentMs === null) return;
      firstToken.observe((seen.firstContentMs - seen.startedMs) / 1_000);
      ends.inc({ cause: streamEnds[seen.outcome] ?? "fault" });
    },
  };
}

function gaugeOpen(metrics: Metrics, open: ReadonlySet<Observation>): void {
  metrics.gauge({
    name: "exergy_relay_open_holds",
    help: "Requests of this process whose credit is set aside.",
    read: () => open.size,
  });
  metrics.gauge({
    name: "exergy_relay_oldest_hold_seconds",
    help: "How long the oldest of them has been open; 0 without any.",
    read() {
      // A set remembers the order in which they came.
      for (const { admittedMs } of open) return (performance.now() - admittedMs!) / 1_000;
      return 0;
    },
  });
}

function gaugeCredit(metrics: Metrics, metering: Metering): void {
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
  metrics.gauge({
    name: "exergy_ledger_queued_writes",
    help: "Holds, settlements and lease acts of this process that wait for the next commit.",
    read: () => metering.queuedWrites,
  });
}

function gaugeRouting(metrics: Metrics, { routing, retryBudget }: MeasuredRelay): void {
  metrics.gauge({
    name: "exergy_routing_decisions_dropped",
    help: "Routing decisions that were not written since the start.",
    read: () => routing.droppedDecisions,
  });
  metrics.gauge<"endpoint">({
    name: "exergy_routing_breaker_state",
    help: "Of each live endpoint as this process knows it: 0 closed, 1 half-open, 2 open.",
    labels: ["endpoint"],
    *readAll() {
      for (const { endpointId, breaker } of routing.endpointFigures())
        yield [{ endpoint: endpointId }, breakerValues[breaker]];
    },
  });
  metrics.gauge<"endpoint">({
    name: "exergy_routing_in_flight",
    help: "Requests of this process at each live endpoint.",
    labels: ["endpoint"],
    *readAll() {
      for (const { endpointId, inFlight } of routing.endpointFigures()) yield [{ endpoint: endpointId }, inFlight];
    },
  });
  metrics.gauge({
    name: "exergy_relay_retry_budget",
    help: "Further attempts that may be made now before failures stand.",
    read: () => retryBudget.remaining,
  });
}
