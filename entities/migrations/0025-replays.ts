/** A place for answers that are kept under an idempotency key, sealed, for a day. */
import type { MigrationInterface, QueryRunner } from "typeorm";
import { systemOnly } from "../row-policies";

export class Replays implements MigrationInterface {
  readonly name = "replays-1763900000025";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE kept_answer (
        organisation_id uuid NOT NULL,
        key text NOT NULL,
        request_id uuid NOT NULL,
        fingerprint text NOT NULL,
        claimed_at timestamptz NOT NULL,
        renewed_at timestamptz NOT NULL,
        lease_id uuid,
        stored_at timestamptz,
        sealed bytea,
        CONSTRAINT kept_answer_pkey PRIMARY KEY (organisation_id, key),
        CONSTRAINT kept_answer_stored_check CHECK (sealed IS NULL OR stored_at IS NOT NULL)
      );
      CREATE UNIQUE INDEX kept_answer_request_key ON kept_answer (request_id);
      CREATE INDEX kept_answer_claimed ON kept_answer (claimed_at);
      -- What is sealed does not compress: trying would cost each write time.
      ALTER TABLE kept_answer ALTER COLUMN sealed SET STORAGE EXTERNAL;
    `);
    await runner.query(systemOnly("kept_answer"));
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
