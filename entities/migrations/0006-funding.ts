/** Creates where credit comes from. */
import type { MigrationInterface, QueryRunner } from "typeorm";

export class Funding implements MigrationInterface {
  readonly name = "funding-1763900000006";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE facility (
        id uuid NOT NULL,
        capital_partner_id uuid NOT NULL,
        name text NOT NULL,
        limit_nano_usd bigint NOT NULL,
        drawn_nano_usd bigint NOT NULL,
        multiplier_ppm bigint NOT NULL,
        state text NOT NULL,
        opened_at timestamptz NOT NULL,
        version integer NOT NULL,
        CONSTRAINT facility_multiplier_check CHECK (multiplier_ppm BETWEEN 1250000 AND 1500000),
        CONSTRAINT facility_limit_check CHECK (limit_nano_usd > 0 AND drawn_nano_usd >= 0 AND drawn_nano_usd <= limit_nano_usd),
        CONSTRAINT facility_state_check CHECK (state IN ('OPEN','CLOSED')),
        CONSTRAINT facility_pkey PRIMARY KEY (id)
      );
      CREATE TABLE drawdown (
        id uuid NOT NULL,
        facility_id uuid NOT NULL,
        startup_id uuid NOT NULL,
        funded_nano_usd bigint NOT NULL,
        drawn_at timestamptz NOT NULL,
        CONSTRAINT drawdown_amount_check CHECK (funded_nano_usd > 0),
        CONSTRAINT drawdown_pkey PRIMARY KEY (id)
      );
      CREATE TABLE credit_lot (
        id uuid NOT NULL,
        drawdown_id uuid NOT NULL,
        facility_id uuid NOT NULL,
        startup_id uuid NOT NULL,
        account_id uuid NOT NULL,
        issued_nano_credit bigint NOT NULL,
        multiplier_ppm bigint NOT NULL,
        issued_at timestamptz NOT NULL,
        CONSTRAINT credit_lot_issued_check CHECK (issued_nano_credit > 0),
        CONSTRAINT credit_lot_pkey PRIMARY KEY (id)
      );
      CREATE INDEX facility_capital_partner ON facility (capital_partner_id);
      CREATE INDEX drawdown_facility ON drawdown (facility_id);
      CREATE UNIQUE INDEX credit_lot_drawdown_key ON credit_lot (drawdown_id);
      CREATE INDEX credit_lot_startup ON credit_lot (startup_id);
      ALTER TABLE facility ADD CONSTRAINT facility_capital_partner_id_fkey FOREIGN KEY (capital_partner_id) REFERENCES organisation(id);
      ALTER TABLE drawdown ADD CONSTRAINT drawdown_facility_id_fkey FOREIGN KEY (facility_id) REFERENCES facility(id);
      ALTER TABLE drawdown ADD CONSTRAINT drawdown_startup_id_fkey FOREIGN KEY (startup_id) REFERENCES organisation(id);
      ALTER TABLE credit_lot ADD CONSTRAINT credit_lot_drawdown_id_fkey FOREIGN KEY (drawdown_id) REFERENCES drawdown(id);
      ALTER TABLE credit_lot ADD CONSTRAINT credit_lot_facility_id_fkey FOREIGN KEY (facility_id) REFERENCES facility(id);
      ALTER TABLE credit_lot ADD CONSTRAINT credit_lot_startup_id_fkey FOREIGN KEY (startup_id) REFERENCES organisation(id);
      ALTER TABLE credit_lot ADD CONSTRAINT credit_lot_account_id_fkey FOREIGN KEY (account_id) REFERENCES ledger_account(id);
    `);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
