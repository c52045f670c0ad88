/** The usage record of a settled request as the group commit takes it: what was delivered, where, at which terms. */
import type { UsageMembers } from "./commit-items";
import type { Delivery } from "./metering";

export function usageMembers(delivery: Delivery, priced: { gpuNanos: bigint; accrualSharePpm: bigint }): UsageMembers {
  const { usage } = delivery;
  return {
    apiKeyId: delivery.apiKeyId,
    endpointId: delivery.endpointId,
    offeringId: delivery.offeringId,
    fixingId: delivery.quote.fixingId,
    rateCardId: delivery.quote.card.id,
    model: delivery.model,
    workload: delivery.workload,
    accelerator: delivery.accelerator,
    region: delivery.region,
    outcome: delivery.outcome,
    promptTokens: usage.promptTokens,
    completionTokens: usage.completionTokens,
    usageBounded: usage.clamped || usage.source === "ESTIMATED",
    claimedPromptTokens: usage.claimedPromptTokens,
    claimedCompletionTokens: usage.claimedCompletionTokens,
    gpuNanos: priced.gpuNanos.toString(),
    accrualSharePpm: priced.accrualSharePpm.toString(),
    attempts: delivery.attempts,
    streamed: delivery.streamed,
    ttftMs: delivery.ttftMs,
    durationMs: delivery.durationMs,
    requestHash: delivery.requestHash,
    upstreamHash: delivery.upstreamHash,
  };
}
