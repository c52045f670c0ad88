/** Creates what was promised and what happened. */
import type { MigrationInterface, QueryRunner } from "typeorm";

export class Sla implements MigrationInterface {
  readonly name = "sla-1763900000008";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE sla_minute (
        endpoint_id uuid NOT NULL,
        minute timestamptz NOT NULL,
        requests integer NOT NULL DEFAULT 0,
        failed integer NOT NULL DEFAULT 0,
        ttft_samples integer NOT NULL DEFAULT 0,
        within_100_ms integer NOT NULL DEFAULT 0,
        within_200_ms integer NOT NULL DEFAULT 0,
        within_500_ms integer NOT NULL DEFAULT 0,
        probes integer NOT NULL DEFAULT 0,
        probes_failed integer NOT NULL DEFAULT 0,
        CONSTRAINT sla_minute_pkey PRIMARY KEY (endpoint_id, minute)
      );
      CREATE TABLE sla_breach (
        id uuid NOT NULL,
        endpoint_id uuid NOT NULL,
        kind text NOT NULL,
        sla_tier text NOT NULL,
        opened_at timestamptz NOT NULL,
        closed_at timestamptz,
        evidence jsonb NOT NULL,
        CONSTRAINT sla_breach_kind_check CHECK (kind IN ('UPTIME','RESPONSE_TIME')),
        CONSTRAINT sla_breach_pkey PRIMARY KEY (id)
      );
      CREATE UNIQUE INDEX sla_breach_open_key ON sla_breach (endpoint_id, kind) WHERE closed_at IS NULL;
      ALTER TABLE sla_minute ADD CONSTRAINT sla_minute_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES endpoint(id);
      ALTER TABLE sla_breach ADD CONSTRAINT sla_breach_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES endpoint(id);
      ALTER TABLE sla_breach ADD CONSTRAINT sla_breach_sla_tier_fkey FOREIGN KEY (sla_tier) REFERENCES sla_tier(code);
    `);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
