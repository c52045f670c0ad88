/** What the streams count. */
import type { GapReason } from "../../../schema/enums";
import type { Metrics } from "../../platform/metrics";

export interface StreamFigures {
  executed(messages: number): void;
  delivered(messages: number): void;
  /** A value was replaced by a newer one before a slow reader got it. */
  conflated(): void;
  gap(reason: GapReason): void;
}

export function createStreamFigures(metrics: Metrics): StreamFigures {
  const executions = metrics.counter({
    name: "exergy_api_stream_executions_total",
    help: "Messages of streams that were executed and written out, once for all who share them.",
  });
  const deliveries = metrics.counter({
    name: "exergy_api_stream_deliveries_total",
    help: "Messages of streams that were written to a subscriber.",
  });
  const conflations = metrics.counter({
    name: "exergy_api_stream_conflated_total",
    help: "Values that a newer one replaced before a slow subscriber got them.",
  });
  const gaps = metrics.counter<"reason">({
    name: "exergy_api_stream_gaps_total",
    help: "Gaps that subscribers of durable streams were told of.",
    labels: ["reason"],
  });
  return {
    executed: (messages) => executions.inc(messages),
    delivered: (messages) => deliveries.inc(messages),
    conflated: () => conflations.inc(),
    gap: (reason) => gaps.inc({ reason }),
  };
}
