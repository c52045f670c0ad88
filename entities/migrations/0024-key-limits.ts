/** Gives API keys limits of their own, beside those that the configuration sets for all. */
import type { MigrationInterface, QueryRunner } from "typeorm";
import { TENANT_ROLE } from "../row-policies";

export class KeyLimits implements MigrationInterface {
  readonly name = "key-limits-1763900000024";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE api_key
        ADD COLUMN requests_per_minute integer,
        ADD COLUMN tokens_per_minute integer,
        ADD COLUMN concurrent_requests integer,
        ADD CONSTRAINT api_key_limits_check CHECK (LEAST(requests_per_minute, tokens_per_minute, concurrent_requests) > 0);
      GRANT UPDATE (requests_per_minute, tokens_per_minute, concurrent_requests) ON api_key TO ${TENANT_ROLE};
    `);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
