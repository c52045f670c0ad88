/** Creates payouts with their attempts and approvals, providers' bank accounts, and what the bank told about payments. */
import type { MigrationInterface, QueryRunner } from "typeorm";
import { ownedBy, rowPolicies, systemOnly, TENANT } from "../row-policies";

const tables = `
  CREATE TABLE payout_account (
    id uuid NOT NULL,
    provider_id uuid NOT NULL,
    state text NOT NULL,
    country text NOT NULL,
    bic text NOT NULL,
    holder_sealed bytea NOT NULL,
    iban_sealed bytea NOT NULL,
    iban_end text NOT NULL,
    proposed_by uuid NOT NULL,
    proposed_at timestamptz NOT NULL,
    confirmed_by uuid,
    confirmed_at timestamptz,
    usable_from timestamptz,
    cancelled_at timestamptz,
    version integer NOT NULL,
    CONSTRAINT payout_account_state_check CHECK (state IN ('PROPOSED','CONFIRMED','CANCELLED')),
    CONSTRAINT payout_account_two_people_check CHECK (confirmed_by <> proposed_by),
    CONSTRAINT payout_account_confirmed_check CHECK ((confirmed_at IS NULL) = (confirmed_by IS NULL) AND (confirmed_at IS NULL) = (usable_from IS NULL) AND (state <> 'CONFIRMED' OR confirmed_at IS NOT NULL)),
    CONSTRAINT payout_account_cancelled_check CHECK ((state = 'CANCELLED') = (cancelled_at IS NOT NULL)),
    CONSTRAINT payout_account_pkey PRIMARY KEY (id)
  );
  CREATE INDEX payout_account_provider ON payout_account (provider_id, id);
  CREATE UNIQUE INDEX payout_account_proposed_key ON payout_account (provider_id) WHERE state = 'PROPOSED';
  ALTER TABLE payout_account ADD CONSTRAINT payout_account_provider_id_fkey FOREIGN KEY (provider_id) REFERENCES organisation(id);

  CREATE TABLE payout (
    id uuid NOT NULL,
    statement_id uuid NOT NULL,
    provider_id uuid NOT NULL,
    period text NOT NULL,
    state text NOT NULL,
    amount_nano_usd bigint NOT NULL,
    carried_in_nano_usd bigint NOT NULL,
    remainder_nano_usd bigint NOT NULL,
    carried_to_id uuid,
    attempt integer NOT NULL,
    due_at timestamptz NOT NULL,
    scheduled_at timestamptz NOT NULL,
    frozen_at timestamptz,
    frozen_reason text,
    version integer NOT NULL,
    CONSTRAINT payout_state_check CHECK (state IN ('SCHEDULED','SUBMITTED','IN_TRANSIT','SETTLED','RETURNED','CARRIED')),
    CONSTRAINT payout_amount_check CHECK (amount_nano_usd >= 0 AND amount_nano_usd % 10000000 = 0),
    CONSTRAINT payout_carry_check CHECK (carried_in_nano_usd >= 0 AND remainder_nano_usd >= 0 AND remainder_nano_usd < 10000000),
    CONSTRAINT payout_carried_check CHECK ((state = 'CARRIED') = (amount_nano_usd = 0)),
    CONSTRAINT payout_attempt_check CHECK (attempt >= 0 AND (attempt > 0 OR state IN ('SCHEDULED','CARRIED'))),
    CONSTRAINT payout_freeze_check CHECK ((frozen_at IS NULL) = (frozen_reason IS NULL)),
    CONSTRAINT payout_pkey PRIMARY KEY (id)
  );
  CREATE UNIQUE INDEX payout_statement_key ON payout (statement_id);
  CREATE INDEX payout_provider ON payout (provider_id, id);
  CREATE INDEX payout_scheduled ON payout (due_at, id) WHERE state = 'SCHEDULED';
  CREATE INDEX payout_left_over ON payout (provider_id) WHERE remainder_nano_usd > 0 AND carried_to_id IS NULL;
  ALTER TABLE payout ADD CONSTRAINT payout_statement_id_fkey FOREIGN KEY (statement_id) REFERENCES statement(id);
  ALTER TABLE payout ADD CONSTRAINT payout_provider_id_fkey FOREIGN KEY (provider_id) REFERENCES organisation(id);
  ALTER TABLE payout ADD CONSTRAINT payout_carried_to_id_fkey FOREIGN KEY (carried_to_id) REFERENCES payout(id);

  CREATE TABLE payout_attempt (
    id uuid NOT NULL,
    payout_id uuid NOT NULL,
    number integer NOT NULL,
    key text NOT NULL,
    rail text NOT NULL,
    account_id uuid NOT NULL,
    amount_nano_usd bigint NOT NULL,
    state text NOT NULL,
    run_id uuid NOT NULL,
    submitted_at timestamptz NOT NULL,
    batch_id uuid,
    batched_at timestamptz,
    accepted_at timestamptz,
    reference text,
    in_transit_at timestamptz,
    settled_at timestamptz,
    returned_at timestamptz,
    return_code text,
    return_reason text,
    looked_at timestamptz,
    CONSTRAINT payout_attempt_state_check CHECK (state IN ('SUBMITTED','IN_TRANSIT','SETTLED','RETURNED')),
    CONSTRAINT payout_attempt_amount_check CHECK (amount_nano_usd > 0),
    CONSTRAINT payout_attempt_returned_check CHECK ((state = 'RETURNED') = (returned_at IS NOT NULL)),
    CONSTRAINT payout_attempt_pkey PRIMARY KEY (id)
  );
  CREATE UNIQUE INDEX payout_attempt_number_key ON payout_attempt (payout_id, number);
  CREATE UNIQUE INDEX payout_attempt_key_key ON payout_attempt (key);
  CREATE INDEX payout_attempt_run ON payout_attempt (run_id);
  CREATE INDEX payout_attempt_open ON payout_attempt (rail, looked_at) WHERE state IN ('SUBMITTED','IN_TRANSIT');
  ALTER TABLE payout_attempt ADD CONSTRAINT payout_attempt_payout_id_fkey FOREIGN KEY (payout_id) REFERENCES payout(id);
  ALTER TABLE payout_attempt ADD CONSTRAINT payout_attempt_account_id_fkey FOREIGN KEY (account_id) REFERENCES payout_account(id);

  CREATE TABLE payout_approval (
    id uuid NOT NULL,
    payout_id uuid NOT NULL,
    account_id uuid NOT NULL,
    approved_by uuid NOT NULL,
    approved_at timestamptz NOT NULL,
    CONSTRAINT payout_approval_pkey PRIMARY KEY (id)
  );
  CREATE UNIQUE INDEX payout_approval_key ON payout_approval (payout_id, account_id, approved_by);
  ALTER TABLE payout_approval ADD CONSTRAINT payout_approval_payout_id_fkey FOREIGN KEY (payout_id) REFERENCES payout(id);
  ALTER TABLE payout_approval ADD CONSTRAINT payout_approval_account_id_fkey FOREIGN KEY (account_id) REFERENCES payout_account(id);

  CREATE TABLE bank_callback (
    id text NOT NULL,
    received_at timestamptz NOT NULL,
    key text NOT NULL,
    state text NOT NULL,
    code text,
    reason text,
    result text NOT NULL,
    CONSTRAINT bank_callback_result_check CHECK (result IN ('APPLIED','STALE','UNKNOWN_PAYMENT')),
    CONSTRAINT bank_callback_pkey PRIMARY KEY (id)
  );
  CREATE INDEX bank_callback_payment ON bank_callback (key);`;

/** Providers read their payouts; operators alone change them, in the columns that their acts move. */
const rows = [
  ownedBy("payout_account", "provider_id", {
    insert: true,
    update: ["state", "confirmed_by", "confirmed_at", "usable_from", "cancelled_at", "version"],
  }),
  rowPolicies(
    "payout",
    { sees: `provider_id = ${TENANT}`, changes: "false" },
    { update: ["state", "frozen_at", "frozen_reason", "version"] },
  ),
  rowPolicies(
    "payout_attempt",
    { sees: "payout_id IN (SELECT id FROM payout)", changes: "false" },
    { update: ["state", "in_transit_at", "settled_at", "returned_at", "return_code", "return_reason"] },
  ),
  rowPolicies("payout_approval", { sees: "payout_id IN (SELECT id FROM payout)", changes: "false" }, { insert: true }),
  systemOnly("bank_callback"),
];

export class Payouts implements MigrationInterface {
  readonly name = "payouts-1763900000022";

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [tables, ...rows]) await runner.query(statement);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
