/** The one statement of the relay's group commit: resolutions with their usage records first, then new holds. */
import type { MigrationInterface, QueryRunner } from "typeorm";

/**
 * `resolutions` and `holds`: arrays of objects with the members of the types hold_resolution and hold_request; `usages`:
 * one object per capture, whose `ord` counts the resolutions from 1. Resolving first lets the credit that it frees serve the new holds of the same commit.
 * Answers {resolutions: [{code, charged, spread, fresh}], holds: [{code, available}]}, each in order.
 */
const settle = `
  CREATE FUNCTION metering_commit(resolutions json, usages json, holds json) RETURNS json LANGUAGE plpgsql AS $$
  DECLARE
    resolution_items hold_resolution[] := ARRAY(SELECT json_populate_recordset(NULL::hold_resolution, resolutions));
    hold_items hold_request[] := ARRAY(SELECT json_populate_recordset(NULL::hold_request, holds));
    resolved json := '[]';
    placed json := '[]';
  BEGIN
    PERFORM ledger_lock();
    IF cardinality(resolution_items) > 0 THEN
      WITH resolved AS MATERIALIZED (
        SELECT * FROM ledger_resolve_holds(resolution_items)
      ), recorded AS (
        INSERT INTO usage_record (id, startup_id, api_key_id, provider_id, endpoint_id, offering_id, fixing_id, rate_card_id, model,
            accelerator, region, period, outcome, prompt_tokens, completion_tokens, usage_bounded, gpu_nanos, charge_nano_credit,
            accrual_nano_usd, spread_nano_usd, accrual_share_ppm, attempts, streamed, ttft_ms, duration_ms, completed_at)
        SELECT r.hold_id, r.startup_id, u."apiKeyId", i.provider_id, u."endpointId", u."offeringId", u."fixingId", r.rate_card_id, u.model,
               u.accelerator, u.region, i.period, u.outcome, u."promptTokens", u."completionTokens", u."usageBounded", u."gpuNanos", r.charged,
               i.accrual, r.spread, u."accrualSharePpm", u.attempts, u.streamed, u."ttftMs", u."durationMs", i.at
          FROM resolved r
          JOIN hold_resolutions(resolution_items) i ON i.ord = r.ord
          LEFT JOIN json_to_recordset(usages) AS u(ord bigint,
               "apiKeyId" uuid, "endpointId" uuid, "offeringId" uuid, "fixingId" uuid, model text, accelerator text, region text, outcome text,
               "promptTokens" integer, "completionTokens" integer, "usageBounded" boolean, "gpuNanos" bigint, "accrualSharePpm" bigint,
               attempts integer, streamed boolean, "ttftMs" integer, "durationMs" integer) ON u.ord = r.ord
         WHERE r.fresh AND r.code = 'CAPTURED'
      )
      SELECT json_agg(json_build_object('code', r.code, 'charged', r.charged::text, 'spread', r.spread::text, 'fresh', r.fresh) ORDER BY r.ord)
        INTO resolved FROM resolved r;
    END IF;
    IF cardinality(hold_items) > 0 THEN
      SELECT json_agg(json_build_object('code', p.code, 'available', p.available::text) ORDER BY p.ord)
        INTO placed FROM ledger_place_holds(hold_items) p;
    END IF;
    RETURN json_build_object('resolutions', resolved, 'holds', placed);
  END $$;`;

export class SettlementFunction implements MigrationInterface {
  readonly name = "settlement-function-1763900000012";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(settle);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
