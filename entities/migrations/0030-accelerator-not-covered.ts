/** A provider's losses know the endpoints that were passed over because the credit is kept for other accelerators. */
import type { MigrationInterface, QueryRunner } from "typeorm";

export class AcceleratorNotCovered implements MigrationInterface {
  readonly name = "accelerator-not-covered-1763900000030";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(ranked);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}

/** As in 0028, with one more reason in its place among those of the request. */
const ranked = `
  DO $do$
  DECLARE
    known text := pg_get_functiondef('routing_losses(uuid, uuid, uuid)'::regprocedure);
    patched text := replace(known, $$'TIER_BELOW_ASKED',$$, $$'TIER_BELOW_ASKED', 'ACCELERATOR_NOT_COVERED',$$);
  BEGIN
    IF patched = known THEN RAISE EXCEPTION 'routing_losses is not that of 0028'; END IF;
    EXECUTE patched;
  END $do$`;
