/** Lines of batches may call every operation; of some not all that is written is shown. */
import type { MigrationInterface, QueryRunner } from "typeorm";

export class BatchOperations implements MigrationInterface {
  readonly name = "batch-operations-1763900000030";

  async up(runner: QueryRunner): Promise<void> {
    // Those that are there are for chats, which show all of it.
    await runner.query("ALTER TABLE workload_file_line ADD COLUMN hides_output boolean NOT NULL DEFAULT false");
    await runner.query("ALTER TABLE workload_file_line ALTER COLUMN hides_output DROP DEFAULT");
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
