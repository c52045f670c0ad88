/** Creates when capacity is offered. */
import type { MigrationInterface, QueryRunner } from "typeorm";

export class Capacity implements MigrationInterface {
  readonly name = "capacity-1763900000003";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE capacity_window (
        id uuid NOT NULL,
        provider_id uuid NOT NULL,
        accelerator text NOT NULL,
        region text NOT NULL,
        zone text NOT NULL,
        kind text NOT NULL,
        gpu_count integer NOT NULL,
        starts_at timestamptz NOT NULL,
        ends_at timestamptz,
        cancelled_at timestamptz,
        created_at timestamptz NOT NULL,
        version integer NOT NULL,
        CONSTRAINT capacity_window_gpu_count_check CHECK (gpu_count > 0),
        CONSTRAINT capacity_window_span_check CHECK (ends_at IS NULL OR ends_at > starts_at),
        CONSTRAINT capacity_window_kind_check CHECK (kind IN ('BASELINE','BURST','MAINTENANCE')),
        CONSTRAINT capacity_window_pkey PRIMARY KEY (id)
      );
      CREATE INDEX capacity_window_provider ON capacity_window (provider_id, starts_at);
      ALTER TABLE capacity_window ADD CONSTRAINT capacity_window_provider_id_fkey FOREIGN KEY (provider_id) REFERENCES organisation(id);
      ALTER TABLE capacity_window ADD CONSTRAINT capacity_window_accelerator_fkey FOREIGN KEY (accelerator) REFERENCES accelerator(code);
    `);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
