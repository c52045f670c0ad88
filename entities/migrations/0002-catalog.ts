/** Creates what is offered: accelerators, service levels, endpoints, models. */
import type { MigrationInterface, QueryRunner } from "typeorm";

export class Catalog implements MigrationInterface {
  readonly name = "catalog-1763900000002";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE sla_tier (
        code text NOT NULL,
        rank integer NOT NULL,
        uptime_target_ppm integer NOT NULL,
        response_time_ms integer NOT NULL,
        best_for text NOT NULL,
        bad_minute_requests_min integer NOT NULL,
        bad_minute_failed_share_ppm integer NOT NULL,
        bad_minute_probes_min integer NOT NULL,
        latency_samples_min integer NOT NULL,
        CONSTRAINT sla_tier_pkey PRIMARY KEY (code)
      );
      CREATE TABLE accelerator (
        code text NOT NULL,
        name text NOT NULL,
        form_factor text NOT NULL,
        memory_gb integer NOT NULL,
        status text NOT NULL,
        CONSTRAINT accelerator_status_check CHECK (status IN ('LISTED','EVALUATING')),
        CONSTRAINT accelerator_pkey PRIMARY KEY (code)
      );
      CREATE TABLE endpoint (
        id uuid NOT NULL,
        provider_id uuid NOT NULL,
        name text NOT NULL,
        kind text NOT NULL,
        tenancy text NOT NULL,
        base_url text NOT NULL,
        ca_pem text NOT NULL,
        accelerator text NOT NULL,
        region text NOT NULL,
        zone text NOT NULL,
        gpu_count integer NOT NULL,
        slots integer NOT NULL,
        sla_tier text NOT NULL,
        state text NOT NULL,
        created_at timestamptz NOT NULL,
        version integer NOT NULL,
        CONSTRAINT endpoint_slots_check CHECK (slots > 0),
        CONSTRAINT endpoint_gpu_count_check CHECK (gpu_count > 0),
        CONSTRAINT endpoint_state_check CHECK (state IN ('REGISTERED','LIVE','DRAINING','SUSPENDED','RETIRED')),
        CONSTRAINT endpoint_tenancy_check CHECK (tenancy IN ('DEDICATED','SHARED')),
        CONSTRAINT endpoint_kind_check CHECK (kind IN ('INFERENCE','TRAINING')),
        CONSTRAINT endpoint_pkey PRIMARY KEY (id)
      );
      CREATE TABLE offering (
        id uuid NOT NULL,
        endpoint_id uuid NOT NULL,
        model text NOT NULL,
        upstream_model text NOT NULL,
        architecture text NOT NULL,
        context_length integer NOT NULL,
        max_output_tokens integer NOT NULL,
        prefill_tokens_per_gpu_second integer NOT NULL,
        decode_tokens_per_gpu_second integer NOT NULL,
        state text NOT NULL,
        created_at timestamptz NOT NULL,
        version integer NOT NULL,
        CONSTRAINT offering_throughput_check CHECK (prefill_tokens_per_gpu_second > 0 AND decode_tokens_per_gpu_second > 0 AND context_length > 0 AND max_output_tokens > 0),
        CONSTRAINT offering_state_check CHECK (state IN ('STAGED','LIVE','WITHDRAWN')),
        CONSTRAINT offering_pkey PRIMARY KEY (id)
      );
      CREATE INDEX endpoint_provider ON endpoint (provider_id);
      CREATE UNIQUE INDEX endpoint_base_url_key ON endpoint (base_url);
      CREATE INDEX offering_model ON offering (model);
      CREATE UNIQUE INDEX offering_endpoint_model_key ON offering (endpoint_id, model);
      ALTER TABLE endpoint ADD CONSTRAINT endpoint_provider_id_fkey FOREIGN KEY (provider_id) REFERENCES organisation(id);
      ALTER TABLE endpoint ADD CONSTRAINT endpoint_accelerator_fkey FOREIGN KEY (accelerator) REFERENCES accelerator(code);
      ALTER TABLE endpoint ADD CONSTRAINT endpoint_sla_tier_fkey FOREIGN KEY (sla_tier) REFERENCES sla_tier(code);
      ALTER TABLE offering ADD CONSTRAINT offering_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES endpoint(id);
    `);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
