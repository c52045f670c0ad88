/** Creates durable events on their way out. */
import type { MigrationInterface, QueryRunner } from "typeorm";

export class Events implements MigrationInterface {
  readonly name = "events-1763900000010";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE outbox_event (
        id uuid NOT NULL,
        topic text NOT NULL,
        organisation_id uuid NOT NULL,
        payload jsonb NOT NULL,
        created_at timestamptz NOT NULL,
        position bigint,
        CONSTRAINT outbox_event_pkey PRIMARY KEY (id)
      );
      CREATE INDEX outbox_event_waiting ON outbox_event (id) WHERE position IS NULL;
      CREATE UNIQUE INDEX outbox_event_position_key ON outbox_event (position) WHERE position IS NOT NULL;
      CREATE SEQUENCE outbox_position;
    `);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
