/** Reads all that receipts say, in one statement. */
import type { UsageOutcome } from "../../schema/enums";
import type { ReceiptFacts } from "./receipt-claims";

export interface FactsRow {
  id: string;
  startup_id: string;
  provider_id: string;
  model: string;
  outcome: UsageOutcome;
  streamed: boolean;
  attempts: number;
  prompt_tokens: number;
  completion_tokens: number;
  usage_bounded: boolean;
  gpu_nanos: string;
  charge_nano_credit: string;
  accrual_nano_usd: string;
  accrual_share_ppm: string;
  period: string;
  ttft_ms: number | null;
  duration_ms: number;
  completed_at: Date;
  request_hash: string | null;
  upstream_hash: string | null;
  fixing_id: string;
  accelerator: string;
  region: string;
  hour: Date;
  price_nano_usd: string;
  rate_card_id: string;
  version: number;
  card_provider_id: string | null;
  redemption_factor_ppm: string;
}

export const factsStatement = {
  name: "metering-receipt-facts",
  text: `SELECT u.id, u.startup_id, u.provider_id, u.model, u.outcome, u.streamed, u.attempts, u.prompt_tokens, u.completion_tokens, u.usage_bounded,
                u.gpu_nanos, u.charge_nano_credit, u.accrual_nano_usd, u.accrual_share_ppm, u.period, u.ttft_ms, u.duration_ms, u.completed_at,
                u.request_hash, u.upstream_hash, u.fixing_id, f.accelerator, f.region, f.hour, f.price_nano_usd, u.rate_card_id, c.version,
                c.provider_id AS card_provider_id, c.redemption_factor_ppm
           FROM usage_record u JOIN fixing f ON f.id = u.fixing_id JOIN rate_card c ON c.id = u.rate_card_id
          WHERE u.id = ANY ($1)`,
};

export const factsOf = (row: FactsRow, issuer: string): ReceiptFacts => ({
  issuer,
  record: {
    id: row.id,
    startupId: row.startup_id,
    providerId: row.provider_id,
    model: row.model,
    outcome: row.outcome,
    streamed: row.streamed,
    attempts: row.attempts,
    promptTokens: row.prompt_tokens,
    completionTokens: row.completion_tokens,
    usageBounded: row.usage_bounded,
    gpuNanos: BigInt(row.gpu_nanos),
    chargeNanoCredit: BigInt(row.charge_nano_credit),
    accrualNanoUsd: BigInt(row.accrual_nano_usd),
    accrualSharePpm: BigInt(row.accrual_share_ppm),
    period: row.period,
    ttftMs: row.ttft_ms,
    durationMs: row.duration_ms,
    completedAt: row.completed_at,
    requestHash: row.request_hash,
    upstreamHash: row.upstream_hash,
  },
  fixing: {
    id: row.fixing_id,
    accelerator: row.accelerator,
    region: row.region,
    hour: row.hour,
    priceNanoUsd: BigInt(row.price_nano_usd),
  },
  card: {
    id: row.rate_card_id,
    version: row.version,
    providerId: row.card_provider_id,
    redemptionFactorPpm: BigInt(row.redemption_factor_ppm),
  },
});
