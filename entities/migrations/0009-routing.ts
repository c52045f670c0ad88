/** Creates why requests went where they went. */
import type { MigrationInterface, QueryRunner } from "typeorm";

export class Routing implements MigrationInterface {
  readonly name = "routing-1763900000009";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE routing_decision (
        id uuid NOT NULL,
        startup_id uuid NOT NULL,
        model text NOT NULL,
        outcome text NOT NULL,
        endpoint_id uuid,
        provider_ids uuid[] NOT NULL,
        candidates jsonb NOT NULL,
        attempts jsonb NOT NULL,
        candidate_count integer NOT NULL,
        decided_at timestamptz NOT NULL,
        CONSTRAINT routing_decision_outcome_check CHECK (outcome IN ('SERVED','REROUTED','FAILED','ABORTED')),
        CONSTRAINT routing_decision_pkey PRIMARY KEY (id)
      );
      CREATE INDEX routing_decision_startup ON routing_decision (startup_id, id);
      CREATE INDEX routing_decision_providers ON routing_decision USING gin (provider_ids);
    `);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
