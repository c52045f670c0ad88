/** One usage record as the startup's view or as the provider's: neither can carry the other's fields. */
import type { UsageRecord } from "../../../entities/usage-record";
import { encodeId } from "../../../schema/node";
import type { DeliveryView, UsageView } from "../../../schema/views/metering.view";
import { credits, gpuSeconds, ratio, usd } from "./money";

export const usageView = (row: UsageRecord): UsageView => ({
  id: encodeId("Usage", row.id),
  requestId: row.id,
  startupId: row.startupId,
  acceleratorCode: row.accelerator,
  model: row.model,
  outcome: row.outcome,
  promptTokens: row.promptTokens,
  completionTokens: row.completionTokens,
  gpuSeconds: gpuSeconds(row.gpuNanos),
  charge: credits(row.chargeNanoCredit),
  region: row.region,
  attempts: row.attempts,
  streamed: row.streamed,
  ttftMs: row.ttftMs,
  durationMs: row.durationMs,
  completedAt: row.completedAt,
});

export const deliveryView = (row: UsageRecord): DeliveryView => ({
  id: encodeId("Delivery", row.id),
  requestId: row.id,
  endpointId: row.endpointId,
  offeringId: row.offeringId,
  fixingId: row.fixingId,
  model: row.model,
  outcome: row.outcome,
  promptTokens: row.promptTokens,
  completionTokens: row.completionTokens,
  usageBounded: row.usageBounded,
  gpuSeconds: gpuSeconds(row.gpuNanos),
  accrual: usd(row.accrualNanoUsd),
  share: ratio(row.accrualSharePpm),
  period: row.period,
  ttftMs: row.ttftMs,
  durationMs: row.durationMs,
  completedAt: row.completedAt,
});
