/** Lets lenders freeze credit, and providers claim what was never charged. */
import type { MigrationInterface, QueryRunner } from "typeorm";
import { ownedBy, ownedThrough } from "../row-policies";
import { blockFunctions } from "./ledger-sql/blocks";
import { claimFunctions } from "./ledger-sql/claims";

const blocks = `
  CREATE TABLE block (
    id uuid NOT NULL,
    scope text NOT NULL,
    capital_partner_id uuid,
    facility_id uuid,
    startup_id uuid,
    lot_id uuid,
    amount_nano_credit bigint,
    reason text NOT NULL,
    explanation text,
    evidence_url text,
    state text NOT NULL,
    placed_by_id uuid NOT NULL,
    placed_at timestamptz NOT NULL,
    effective_at timestamptz,
    latency_ms integer,
    ended_by_id uuid,
    ended_at timestamptz,
    version integer NOT NULL,
    CONSTRAINT block_scope_check CHECK (scope IN ('FACILITY','WALLET','LOT')),
    CONSTRAINT block_target_check CHECK (num_nonnulls(facility_id, startup_id, lot_id) = 1 AND (scope = 'FACILITY') = (facility_id IS NOT NULL) AND (scope = 'LOT') = (lot_id IS NOT NULL)),
    CONSTRAINT block_reason_check CHECK (reason IN ('DEFAULT_RISK','DEFAULT','COMPLIANCE','FRAUD_SUSPECTED','DISPUTE','OTHER')),
    CONSTRAINT block_state_check CHECK (state IN ('PLACING','ACTIVE','REFUSED','LIFTED','ASSIGNED')),
    CONSTRAINT block_amount_check CHECK (amount_nano_credit > 0),
    CONSTRAINT block_pkey PRIMARY KEY (id)
  );
  CREATE TABLE block_lot (
    block_id uuid NOT NULL,
    lot_account_id uuid NOT NULL,
    frozen boolean NOT NULL,
    blocked_nano_credit bigint NOT NULL DEFAULT 0,
    assigned_nano_credit bigint NOT NULL DEFAULT 0,
    assigned_backing_nano_usd bigint NOT NULL DEFAULT 0,
    assignments integer NOT NULL DEFAULT 0,
    CONSTRAINT block_lot_amounts_check CHECK (blocked_nano_credit >= 0 AND assigned_nano_credit >= 0 AND assigned_backing_nano_usd >= 0),
    CONSTRAINT block_lot_pkey PRIMARY KEY (block_id, lot_account_id)
  );
  CREATE INDEX block_capital_partner ON block (capital_partner_id);
  CREATE INDEX block_facility ON block (facility_id) WHERE facility_id IS NOT NULL;
  CREATE INDEX block_startup ON block (startup_id) WHERE startup_id IS NOT NULL;
  CREATE INDEX block_unfinished ON block (id) WHERE state IN ('PLACING','ASSIGNED');
  CREATE INDEX block_lot_account ON block_lot (lot_account_id);
  ALTER TABLE block ADD CONSTRAINT block_capital_partner_id_fkey FOREIGN KEY (capital_partner_id) REFERENCES organisation(id);
  ALTER TABLE block ADD CONSTRAINT block_facility_id_fkey FOREIGN KEY (facility_id) REFERENCES facility(id);
  ALTER TABLE block ADD CONSTRAINT block_startup_id_fkey FOREIGN KEY (startup_id) REFERENCES organisation(id);
  ALTER TABLE block ADD CONSTRAINT block_lot_id_fkey FOREIGN KEY (lot_id) REFERENCES credit_lot(id);
  ALTER TABLE block_lot ADD CONSTRAINT block_lot_block_id_fkey FOREIGN KEY (block_id) REFERENCES block(id);
  ALTER TABLE block_lot ADD CONSTRAINT block_lot_lot_account_id_fkey FOREIGN KEY (lot_account_id) REFERENCES ledger_account(id);`;

const claims = `
  CREATE TABLE provider_claim (
    id uuid NOT NULL,
    provider_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    offering_id uuid NOT NULL,
    request_id uuid NOT NULL,
    attempt integer NOT NULL,
    attempted_at timestamptz NOT NULL,
    claimed_prompt_tokens bigint NOT NULL,
    claimed_completion_tokens bigint NOT NULL,
    evidence text,
    fixing_id uuid NOT NULL,
    share_ppm bigint NOT NULL,
    claimed_nano_usd bigint NOT NULL,
    bound_nano_usd bigint NOT NULL,
    bounded_by text NOT NULL,
    amount_nano_usd bigint NOT NULL,
    routing_outcome text,
    attempt_result text,
    state text NOT NULL,
    submitted_at timestamptz NOT NULL,
    decided_at timestamptz,
    decision text,
    period text,
    version integer NOT NULL,
    CONSTRAINT provider_claim_state_check CHECK (state IN ('SUBMITTED','PAID','REJECTED')),
    CONSTRAINT provider_claim_bound_check CHECK (bounded_by IN ('CLAIM','OFFERING','REQUEST_BODY','HOLD','POLICY')),
    CONSTRAINT provider_claim_amount_check CHECK (amount_nano_usd BETWEEN 1 AND 10000000000 AND amount_nano_usd <= claimed_nano_usd),
    CONSTRAINT provider_claim_pkey PRIMARY KEY (id)
  );
  CREATE UNIQUE INDEX provider_claim_attempt_key ON provider_claim (request_id, attempt);
  CREATE INDEX provider_claim_provider ON provider_claim (provider_id);
  ALTER TABLE provider_claim ADD CONSTRAINT provider_claim_provider_id_fkey FOREIGN KEY (provider_id) REFERENCES organisation(id);
  ALTER TABLE provider_claim ADD CONSTRAINT provider_claim_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES endpoint(id);
  ALTER TABLE provider_claim ADD CONSTRAINT provider_claim_offering_id_fkey FOREIGN KEY (offering_id) REFERENCES offering(id);
  ALTER TABLE provider_claim ADD CONSTRAINT provider_claim_fixing_id_fkey FOREIGN KEY (fixing_id) REFERENCES fixing(id);
  -- What the operator looks through for providers that report more than can be.
  CREATE INDEX usage_record_bounded ON usage_record (id) WHERE usage_bounded;`;

const policies = [
  ownedBy("block", "capital_partner_id", { insert: true }),
  ownedThrough("block_lot", "block_id", "block"),
  ownedBy("provider_claim", "provider_id", { insert: true }),
];

export class BlocksAndClaims implements MigrationInterface {
  readonly name = "blocks-and-claims-1763900000020";

  async up(runner: QueryRunner): Promise<void> {
    const [{ schema }] = await runner.query("SELECT quote_ident(current_schema()) AS schema");
    const statements = [blocks, claims, ...policies, ...blockFunctions(schema), ...claimFunctions(schema)];
    for (const statement of statements) await runner.query(statement);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
