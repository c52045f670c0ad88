/** Charges leases the short way where nothing is out of the ordinary, and keeps the rows that every charge rewrites where they are. */
import type { MigrationInterface, QueryRunner } from "typeorm";
import { commit } from "./ledger-sql/commit";
import { captureFunctions } from "./ledger-sql/plain-captures";

/**
 * An index that names a column in its condition has to be rewritten whenever the column changes, as the balance of a slice does
 * with each charge; and a new version of a row stays on its page, out of all indexes, only while there is room on it.
 */
const rewrittenRows = `
  DROP INDEX lease_slice_lot;
  CREATE INDEX lease_slice_lot ON lease_slice (lot_account_id);
  ALTER TABLE lease_slice SET (fillfactor = 50);
  ALTER TABLE ledger_account SET (fillfactor = 50);`;

export class PlainCaptures implements MigrationInterface {
  readonly name = "plain-captures-1763900000029";

  async up(runner: QueryRunner): Promise<void> {
    const revoked =
      "REVOKE EXECUTE ON FUNCTION metering_capture_plain(lease_charge[]), metering_capture(lease_charge[]), metering_commit(json, lease_charge[]) FROM PUBLIC";
    for (const statement of [rewrittenRows, ...captureFunctions, commit, revoked]) await runner.query(statement);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
