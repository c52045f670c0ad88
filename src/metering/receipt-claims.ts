/** What a receipt says: to the startup what it was charged, to the provider what it earned, to neither who the other is. */
import type { Fixing } from "../../entities/fixing";
import type { UsageRecord } from "../../entities/usage-record";
import { formatNano } from "../money/nano";

/** The card's terms that a receipt may name. */
export interface ReceiptCard {
  readonly id: string;
  readonly version: number;
  /** Null: the standard terms. */
  readonly providerId: string | null;
  readonly redemptionFactorPpm: bigint;
}

export interface ReceiptFacts {
  readonly issuer: string;
  readonly record: Omit<
    UsageRecord,
    | "apiKeyId"
    | "endpointId"
    | "offeringId"
    | "fixingId"
    | "rateCardId"
    | "workload"
    | "segment"
    | "accelerator"
    | "region"
    | "claimedPromptTokens"
    | "claimedCompletionTokens"
    | "heldNanoCredit"
    | "leaseId"
    | "spreadNanoUsd"
  >;
  readonly fixing: Pick<Fixing, "id" | "accelerator" | "region" | "hour" | "priceNanoUsd">;
  readonly card: ReceiptCard;
}

export type ReceiptClaims = Readonly<Record<string, unknown>>;

const share = (ppm: bigint): string => formatNano(ppm * 1_000n);

export function usageReceiptClaims(facts: ReceiptFacts): ReceiptClaims {
  const { record, card } = facts;
  return {
    ...common(facts, "usage"),
    aud: record.startupId,
    body_sha256: record.requestHash,
    // Terms that were negotiated with one provider would tell requests of that provider apart.
    rate_card:
      card.providerId === null
        ? { id: card.id, version: card.version, negotiated: false, redemption_factor: share(card.redemptionFactorPpm) }
        : { negotiated: true, redemption_factor: share(card.redemptionFactorPpm) },
    charge: { amount: formatNano(record.chargeNanoCredit), currency: "CRD" },
  };
}

export function deliveryReceiptClaims(facts: ReceiptFacts): ReceiptClaims {
  const { record, card } = facts;
  return {
    ...common(facts, "delivery"),
    aud: record.providerId,
    body_sha256: record.upstreamHash,
    rate_card: {
      id: card.id,
      version: card.version,
      negotiated: card.providerId !== null,
      share: share(record.accrualSharePpm),
    },
    accrual: { amount: formatNano(record.accrualNanoUsd), currency: "USD" },
    period: record.period,
  };
}

/** A record never changes, and nor does its receipt: it is dated as the record is. */
function common({ issuer, record, fixing }: ReceiptFacts, kind: "usage" | "delivery"): Record<string, unknown> {
  return {
    iss: issuer,
    sub: record.id,
    jti: `${record.id}.${kind}`,
    iat: Math.floor(record.completedAt.getTime() / 1_000),
    model: record.model,
    outcome: record.outcome,
    streamed: record.streamed,
    attempts: record.attempts,
    tokens: { prompt: record.promptTokens, completion: record.completionTokens, bounded: record.usageBounded },
    gpu_seconds: formatNano(record.gpuNanos),
    fixing: {
      id: fixing.id,
      accelerator: fixing.accelerator,
      region: fixing.region,
      hour: fixing.hour.toISOString(),
      usd_per_gpu_hour: formatNano(fixing.priceNanoUsd),
    },
    ttft_ms: record.ttftMs,
    duration_ms: record.durationMs,
    completed_at: record.completedAt.toISOString(),
  };
}
