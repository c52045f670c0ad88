/** Completes the ledger: leases, draw order, the accounts of a lot, closed months, and one order of all transfers. */
import type { MigrationInterface, QueryRunner } from "typeorm";
import { readableByAll, systemOnly } from "../row-policies";
import { holdFunctions } from "./ledger-sql/holds";
import { leaseFunctions } from "./ledger-sql/leases";
import { postingFunctions } from "./ledger-sql/postings";
import { settlementFunctions } from "./ledger-sql/settlement";

const tables = `
  ALTER TABLE organisation
    ADD COLUMN segment text NOT NULL DEFAULT 'UNSPECIFIED',
    ADD CONSTRAINT organisation_segment_check CHECK (segment IN ('UNSPECIFIED','PRE_SEED','SEED','SERIES_A','SERIES_B','GROWTH','ENTERPRISE'));

  ALTER TABLE transfer ADD COLUMN seq bigserial NOT NULL;
  CREATE UNIQUE INDEX transfer_seq_key ON transfer (seq);

  ALTER TABLE ledger_account
    ADD COLUMN lot_id uuid,
    ADD COLUMN issued_nano_credit bigint,
    ADD COLUMN priority integer,
    ADD COLUMN expires_at timestamptz,
    ADD COLUMN accelerators text[],
    ADD COLUMN workloads text[],
    ADD COLUMN frozen integer NOT NULL DEFAULT 0;
  UPDATE ledger_account a SET lot_id = l.id, issued_nano_credit = l.issued_nano_credit, priority = 100
    FROM credit_lot l WHERE l.account_id = a.id;
  UPDATE ledger_account SET limited = true WHERE kind = 'PROVIDER_PAYABLE';
  ALTER TABLE ledger_account ADD CONSTRAINT ledger_account_lot_check
    CHECK (kind <> 'WALLET_LOT' OR (lot_id IS NOT NULL AND issued_nano_credit IS NOT NULL AND priority IS NOT NULL AND frozen >= 0));
  CREATE INDEX ledger_account_lot ON ledger_account (lot_id) WHERE lot_id IS NOT NULL;

  ALTER TABLE usage_record
    ADD COLUMN held_nano_credit bigint NOT NULL DEFAULT 0,
    ADD COLUMN lease_id uuid,
    ADD COLUMN workload text NOT NULL DEFAULT 'INFERENCE',
    ADD COLUMN segment text NOT NULL DEFAULT 'UNSPECIFIED',
    ADD COLUMN claimed_prompt_tokens bigint,
    ADD COLUMN claimed_completion_tokens bigint,
    ADD CONSTRAINT usage_record_workload_check CHECK (workload IN ('INFERENCE','EMBEDDINGS','BATCH','FINE_TUNING'));
  UPDATE usage_record u SET held_nano_credit = h.amount_nano_credit FROM hold h WHERE h.id = u.id;
  ALTER TABLE usage_record
    ALTER COLUMN held_nano_credit DROP DEFAULT,
    ALTER COLUMN workload DROP DEFAULT,
    ALTER COLUMN segment DROP DEFAULT;

  CREATE TABLE lease (
    id uuid NOT NULL,
    startup_id uuid NOT NULL,
    instance uuid NOT NULL,
    purpose text NOT NULL,
    state text NOT NULL,
    recall_epoch integer NOT NULL DEFAULT 0,
    acknowledged_epoch integer NOT NULL DEFAULT 0,
    opened_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    closed_at timestamptz,
    CONSTRAINT lease_state_check CHECK (state IN ('ACTIVE','RETURNED','SWEPT')),
    CONSTRAINT lease_epochs_check CHECK (acknowledged_epoch BETWEEN 0 AND recall_epoch),
    CONSTRAINT lease_pkey PRIMARY KEY (id)
  );
  CREATE INDEX lease_active ON lease (startup_id) WHERE state = 'ACTIVE';
  CREATE INDEX lease_active_instance ON lease (instance) WHERE state = 'ACTIVE';
  CREATE TABLE lease_slice (
    lease_id uuid NOT NULL,
    leased_account_id uuid NOT NULL,
    lot_account_id uuid NOT NULL,
    balance_nano_credit bigint NOT NULL,
    CONSTRAINT lease_slice_balance_check CHECK (balance_nano_credit >= 0),
    CONSTRAINT lease_slice_pkey PRIMARY KEY (lease_id, leased_account_id),
    CONSTRAINT lease_slice_lease_id_fkey FOREIGN KEY (lease_id) REFERENCES lease(id),
    CONSTRAINT lease_slice_leased_account_id_fkey FOREIGN KEY (leased_account_id) REFERENCES ledger_account(id)
  );
  CREATE INDEX lease_slice_lot ON lease_slice (lot_account_id) WHERE balance_nano_credit > 0;

  CREATE TABLE accounting_period (
    period text NOT NULL,
    closed_at timestamptz NOT NULL,
    closed_by uuid,
    CONSTRAINT accounting_period_period_check CHECK (period ~ '^2[0-9]{3}-(0[1-9]|1[0-2])$'),
    CONSTRAINT accounting_period_pkey PRIMARY KEY (period)
  );

  INSERT INTO ledger_account (id, name, ledger, kind, limited, created_at) VALUES
    (gen_random_uuid(), 'revenue:origination', 'USD', 'REVENUE_ORIGINATION', false, now()),
    (gen_random_uuid(), 'revenue:servicing', 'USD', 'REVENUE_SERVICING', false, now()),
    (gen_random_uuid(), 'revenue:breakage', 'USD', 'REVENUE_BREAKAGE', false, now()),
    (gen_random_uuid(), 'reserve:sla', 'USD', 'RESERVE_SLA', false, now()),
    (gen_random_uuid(), 'suspense:claims', 'USD', 'SUSPENSE_CLAIMS', true, now()),
    (gen_random_uuid(), 'expense:claims', 'USD', 'EXPENSE_CLAIMS', false, now()),
    (gen_random_uuid(), 'payout:in-transit', 'USD', 'PAYOUT_IN_TRANSIT', true, now());`;

/** The functions of 0011 and 0012 that take more now. */
const replaced = `
  DROP FUNCTION metering_commit(json, json, json);
  DROP FUNCTION ledger_resolve_holds(hold_resolution[]);
  DROP FUNCTION ledger_place_holds(hold_request[]);
  DROP FUNCTION hold_requests(hold_request[]);
  DROP FUNCTION ledger_open_lots(uuid);
  ALTER TYPE hold_request ADD ATTRIBUTE accelerators text[], ADD ATTRIBUTE workload text;`;

export class LedgerComplete implements MigrationInterface {
  readonly name = "ledger-complete-1763900000017";

  async up(runner: QueryRunner): Promise<void> {
    const [{ schema }] = await runner.query("SELECT quote_ident(current_schema()) AS schema");
    const statements = [
      tables,
      systemOnly("lease"),
      systemOnly("lease_slice"),
      readableByAll("accounting_period", { insert: true }),
      replaced,
      ...postingFunctions(schema),
      ...holdFunctions,
      ...leaseFunctions,
      ...settlementFunctions,
    ];
    for (const statement of statements) await runner.query(statement);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
