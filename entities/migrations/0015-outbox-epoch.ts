/** Gives the durable events' positions an epoch, and a place to remember up to where events were trimmed. */
import type { MigrationInterface, QueryRunner } from "typeorm";

export class OutboxEpoch implements MigrationInterface {
  readonly name = "outbox-epoch-1763900000015";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE outbox_epoch (
        epoch uuid NOT NULL,
        trimmed_position bigint NOT NULL,
        CONSTRAINT outbox_epoch_pkey PRIMARY KEY (epoch)
      );
      INSERT INTO outbox_epoch VALUES (gen_random_uuid(), 0);
    `);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
