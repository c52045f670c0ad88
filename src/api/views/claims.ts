/** Claims and flagged usage as views. */
import type { ProviderClaim } from "../../../entities/provider-claim";
import type { UsageRecord } from "../../../entities/usage-record";
import { RoutingAttemptResult } from "../../../schema/enums";
import { encodeId } from "../../../schema/node";
import type { ClaimView, FlaggedUsageCountView, FlaggedUsageView } from "../../../schema/views/claims.view";
import type { FlaggedUsageCount } from "../../payouts/flagged-usage";
import { ratio, usd } from "./money";

export const claimView = (row: ProviderClaim): ClaimView => ({
  id: encodeId("Claim", row.id),
  providerId: row.providerId,
  endpointId: row.endpointId,
  offeringId: row.offeringId,
  requestId: row.requestId,
  attempt: row.attempt,
  attemptedAt: row.attemptedAt,
  promptTokens: row.claimedPromptTokens,
  completionTokens: row.claimedCompletionTokens,
  requested: usd(row.claimedNanoUsd),
  bound: usd(row.boundNanoUsd),
  boundedBy: row.boundedBy,
  amount: usd(row.amountNanoUsd),
  share: ratio(row.sharePpm),
  evidence: row.evidence,
  routingOutcome: row.routingOutcome,
  attemptResult: row.attemptResult === null ? null : resultOf(row.attemptResult),
  state: row.state,
  submittedAt: row.submittedAt,
  decidedAt: row.decidedAt,
  decision: row.decision,
  period: row.period,
  version: row.version,
});

/** The log keeps the status by which a request was rejected, which is no word of the contract. */
const resultOf = (logged: string): RoutingAttemptResult =>
  Object.hasOwn(RoutingAttemptResult, logged) ? (logged as RoutingAttemptResult) : "REJECTED";

export const flaggedUsageView = (row: UsageRecord): FlaggedUsageView => ({
  id: encodeId("FlaggedUsage", row.id),
  requestId: row.id,
  providerId: row.providerId,
  endpointId: row.endpointId,
  model: row.model,
  claimedPromptTokens: row.claimedPromptTokens,
  claimedCompletionTokens: row.claimedCompletionTokens,
  promptTokens: row.promptTokens,
  completionTokens: row.completionTokens,
  accrual: usd(row.accrualNanoUsd),
  period: row.period,
  completedAt: row.completedAt,
});

export const flaggedUsageCountView = (count: FlaggedUsageCount): FlaggedUsageCountView => count;
