/** What a receipt proves besides the money: over which bytes it is. And what a provider lost to others, and why. */
import type { MigrationInterface, QueryRunner } from "typeorm";
import { TENANT_ROLE } from "../row-policies";

export class Receipts implements MigrationInterface {
  readonly name = "receipts-1763900000028";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query("ALTER TABLE usage_record ADD COLUMN request_hash text, ADD COLUMN upstream_hash text");
    await runner.query(record);
    const [{ schema }] = await runner.query("SELECT quote_ident(current_schema()) AS schema");
    await runner.query(losses(schema));
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}

/**
 * The usage records of what was just charged, in the commit that charges it. The card is that of whoever delivered: the hold was
 * reckoned with that of whoever was to.
 */
const record = `
  CREATE FUNCTION metering_record(items settled_request[], usages json) RETURNS void
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
  END $$;
  REVOKE EXECUTE ON FUNCTION metering_record(settled_request[], json) FROM PUBLIC;`;

/**
 * Of several own endpoints that were looked at, the one that came closest counts. What others earned with the request is not
 * said, only its GPU time; ids are times, so the primary key narrows the span.
 */
const losses = (schema: string) => `
  CREATE FUNCTION routing_losses(provider uuid, since uuid, until uuid) RETURNS TABLE (reason text, requests bigint, gpu_nanos numeric)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
  #variable_conflict use_column
  DECLARE
    refusals text[] := ARRAY['MODEL_MISMATCH', 'OFFERING_NOT_LIVE', 'ENDPOINT_NOT_LIVE', 'REGION_MISMATCH', 'TIER_BELOW_ASKED', 'ACCELERATOR_NOT_COVERED',
      'CONTEXT_TOO_LONG', 'IN_MAINTENANCE', 'NO_CAPACITY_WINDOW', 'NOT_PRICED', 'COOLING_DOWN', 'SATURATED', 'ALREADY_TRIED'];
  BEGIN
    -- The settings count only on a tenant's connection; inside a function of the owner, SET ROLE still shows who called.
    IF current_setting('role') = '${TENANT_ROLE}' AND NOT acting_sees_all() AND acting_tenant_id() IS DISTINCT FROM provider THEN
      RAISE EXCEPTION 'not this tenant''s losses' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN QUERY
    WITH lost AS (
      SELECT DISTINCT ON (d.id) d.id, u.gpu_nanos,
             CASE WHEN c.refusal IS NOT NULL THEN c.refusal WHEN t.tried THEN 'ATTEMPT_FAILED' ELSE 'NOT_DRAWN' END AS why
        FROM routing_decision d
        JOIN usage_record u ON u.id = d.id AND u.provider_id <> provider
       CROSS JOIN LATERAL jsonb_to_recordset(d.candidates) AS c("endpointId" uuid, refusal text)
        JOIN endpoint e ON e.id = c."endpointId" AND e.provider_id = provider
       CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM jsonb_to_recordset(d.attempts) AS a("endpointId" uuid)
                                           WHERE a."endpointId" = c."endpointId") AS tried) t
       WHERE d.id >= since AND d.id < until AND d.provider_ids @> ARRAY[provider]
       ORDER BY d.id, c.refusal IS NULL DESC, t.tried DESC, array_position(refusals, c.refusal) DESC NULLS LAST
    )
    SELECT why, count(*), sum(lost.gpu_nanos) FROM lost GROUP BY why ORDER BY sum(lost.gpu_nanos) DESC, why;
  END $$;
  REVOKE EXECUTE ON FUNCTION routing_losses(uuid, uuid, uuid) FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION routing_losses(uuid, uuid, uuid) TO ${TENANT_ROLE};`;
