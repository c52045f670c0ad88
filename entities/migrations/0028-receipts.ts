/** What a receipt proves besides the money: over which bytes it is, as the startup sent them and as the provider received them. */
import type { MigrationInterface, QueryRunner } from "typeorm";

export class Receipts implements MigrationInterface {
  readonly name = "receipts-1763900000028";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query("ALTER TABLE usage_record ADD COLUMN request_hash text, ADD COLUMN upstream_hash text");
    await runner.query(record);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}

/** As in 0017, and the two hashes. */
const record = `
  CREATE OR REPLACE FUNCTION metering_record(items settled_request[], usages json) RETURNS void
  LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
  #variable_conflict use_column
  BEGIN
    INSERT INTO usage_record (id, startup_id, api_key_id, provider_id, endpoint_id, offering_id, fixing_id, rate_card_id, lease_id, model,
        workload, segment, accelerator, region, period, outcome, prompt_tokens, completion_tokens, usage_bounded, claimed_prompt_tokens,
        claimed_completion_tokens, gpu_nanos, held_nano_credit, charge_nano_credit, accrual_nano_usd, spread_nano_usd, accrual_share_ppm,
        attempts, streamed, ttft_ms, duration_ms, completed_at, request_hash, upstream_hash)
    SELECT s.id, s.startup_id, u."apiKeyId", s.provider_id, u."endpointId", u."offeringId", u."fixingId", coalesce(u."rateCardId", s.rate_card_id),
           s.lease_id, u.model,
           coalesce(u.workload, 'INFERENCE'), coalesce((SELECT o.segment FROM organisation o WHERE o.id = s.startup_id), 'UNSPECIFIED'),
           u.accelerator, u.region, s.period, u.outcome, u."promptTokens", u."completionTokens", u."usageBounded", u."claimedPromptTokens",
           u."claimedCompletionTokens", u."gpuNanos", s.held, s.charged, s.accrual, s.spread, u."accrualSharePpm",
           u.attempts, u.streamed, u."ttftMs", u."durationMs", s.at, u."requestHash", u."upstreamHash"
      FROM unnest(items) s
      LEFT JOIN json_to_recordset(usages) AS u(ord bigint,
           "apiKeyId" uuid, "endpointId" uuid, "offeringId" uuid, "fixingId" uuid, "rateCardId" uuid, model text, workload text, accelerator text, region text,
           outcome text, "promptTokens" integer, "completionTokens" integer, "usageBounded" boolean, "claimedPromptTokens" bigint,
           "claimedCompletionTokens" bigint, "gpuNanos" bigint, "accrualSharePpm" bigint, attempts integer, streamed boolean,
           "ttftMs" integer, "durationMs" integer, "requestHash" text, "upstreamHash" text) ON u.ord = s.ord;
  END $$;`;
