/** Creates what was used. */
import type { MigrationInterface, QueryRunner } from "typeorm";

export class Metering implements MigrationInterface {
  readonly name = "metering-1763900000007";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE usage_record (
        id uuid NOT NULL,
        startup_id uuid NOT NULL,
        api_key_id uuid NOT NULL,
        provider_id uuid NOT NULL,
        endpoint_id uuid NOT NULL,
        offering_id uuid NOT NULL,
        fixing_id uuid NOT NULL,
        rate_card_id uuid NOT NULL,
        model text NOT NULL,
        accelerator text NOT NULL,
        region text NOT NULL,
        period text NOT NULL,
        outcome text NOT NULL,
        prompt_tokens integer NOT NULL,
        completion_tokens integer NOT NULL,
        usage_bounded boolean NOT NULL,
        gpu_nanos bigint NOT NULL,
        charge_nano_credit bigint NOT NULL,
        accrual_nano_usd bigint NOT NULL,
        spread_nano_usd bigint NOT NULL,
        accrual_share_ppm bigint NOT NULL,
        attempts integer NOT NULL,
        streamed boolean NOT NULL,
        ttft_ms integer,
        duration_ms integer NOT NULL,
        completed_at timestamptz NOT NULL,
        CONSTRAINT usage_record_outcome_check CHECK (outcome IN ('COMPLETED','ABORTED','PARTIAL')),
        CONSTRAINT usage_record_pkey PRIMARY KEY (id)
      );
      CREATE INDEX usage_record_provider ON usage_record (provider_id, period, id);
      CREATE INDEX usage_record_startup ON usage_record (startup_id, id);
    `);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
