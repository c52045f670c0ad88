/** Creates accounts, transfers and holds. */
import type { MigrationInterface, QueryRunner } from "typeorm";

export class Ledger implements MigrationInterface {
  readonly name = "ledger-1763900000005";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE ledger_account (
        id uuid NOT NULL,
        name text NOT NULL,
        ledger text NOT NULL,
        kind text NOT NULL,
        organisation_id uuid,
        facility_id uuid,
        multiplier_ppm bigint,
        period text,
        limited boolean NOT NULL,
        debits_pending bigint NOT NULL DEFAULT 0,
        debits_posted bigint NOT NULL DEFAULT 0,
        credits_pending bigint NOT NULL DEFAULT 0,
        credits_posted bigint NOT NULL DEFAULT 0,
        created_at timestamptz NOT NULL,
        CONSTRAINT ledger_account_counters_check CHECK (debits_pending >= 0 AND debits_posted >= 0 AND credits_pending >= 0 AND credits_posted >= 0),
        CONSTRAINT ledger_account_limit_check CHECK (NOT limited OR debits_pending + debits_posted <= credits_posted),
        CONSTRAINT ledger_account_ledger_check CHECK (ledger IN ('USD','CRD')),
        CONSTRAINT ledger_account_pkey PRIMARY KEY (id)
      );
      CREATE TABLE transfer (
        id uuid NOT NULL,
        group_id uuid NOT NULL,
        kind text NOT NULL,
        code text NOT NULL,
        debit_account_id uuid NOT NULL,
        credit_account_id uuid NOT NULL,
        amount bigint NOT NULL,
        pending_id uuid,
        booked_at timestamptz NOT NULL,
        recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        CONSTRAINT transfer_accounts_check CHECK (debit_account_id <> credit_account_id),
        CONSTRAINT transfer_pending_check CHECK ((pending_id IS NOT NULL) = (kind IN ('POST','VOID'))),
        CONSTRAINT transfer_amount_check CHECK (amount > 0),
        CONSTRAINT transfer_kind_check CHECK (kind IN ('POSTED','PENDING','POST','VOID')),
        CONSTRAINT transfer_pkey PRIMARY KEY (id)
      );
      CREATE TABLE hold (
        id uuid NOT NULL,
        startup_id uuid NOT NULL,
        amount_nano_credit bigint NOT NULL,
        captured_nano_credit bigint NOT NULL DEFAULT 0,
        rate_card_id uuid NOT NULL,
        state text NOT NULL,
        placed_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        resolved_at timestamptz,
        CONSTRAINT hold_amount_check CHECK (amount_nano_credit > 0 AND captured_nano_credit BETWEEN 0 AND amount_nano_credit),
        CONSTRAINT hold_state_check CHECK (state IN ('HELD','CAPTURED','VOIDED','EXPIRED')),
        CONSTRAINT hold_pkey PRIMARY KEY (id)
      );
      CREATE INDEX ledger_account_facility ON ledger_account (kind, facility_id);
      CREATE INDEX ledger_account_organisation ON ledger_account (kind, organisation_id);
      CREATE UNIQUE INDEX ledger_account_name_key ON ledger_account (name);
      CREATE INDEX transfer_group ON transfer (group_id);
      CREATE UNIQUE INDEX transfer_pending_key ON transfer (pending_id) WHERE pending_id IS NOT NULL;
      CREATE INDEX hold_open ON hold (expires_at) WHERE state = 'HELD';
    `);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
