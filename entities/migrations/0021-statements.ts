/** Creates statements with their lines, disputes and credit notes, and gives rate cards their two people. */
import type { MigrationInterface, QueryRunner } from "typeorm";
import { ownedThrough, rowPolicies, SEES_ALL, TENANT, TENANT_ROLE } from "../row-policies";

const rateCards = `
  ALTER TABLE rate_card
    ADD COLUMN provider_id uuid,
    ADD COLUMN state text NOT NULL DEFAULT 'APPROVED',
    ADD COLUMN reason text NOT NULL DEFAULT 'The terms that the marketplace started with.',
    ADD COLUMN proposed_at timestamptz,
    ADD COLUMN proposed_by uuid,
    ADD COLUMN approved_at timestamptz,
    ADD COLUMN approved_by uuid,
    ADD COLUMN retired_at timestamptz,
    ADD COLUMN retired_by uuid;
  UPDATE rate_card SET proposed_at = effective_at, approved_at = effective_at;
  ALTER TABLE rate_card
    ALTER COLUMN state DROP DEFAULT,
    ALTER COLUMN reason DROP DEFAULT,
    ALTER COLUMN proposed_at SET NOT NULL,
    ADD CONSTRAINT rate_card_provider_id_fkey FOREIGN KEY (provider_id) REFERENCES organisation(id),
    ADD CONSTRAINT rate_card_four_eyes_check CHECK (approved_by IS NULL OR approved_by <> proposed_by),
    ADD CONSTRAINT rate_card_state_check CHECK (CASE state
      WHEN 'PROPOSED' THEN approved_at IS NULL AND retired_at IS NULL
      WHEN 'APPROVED' THEN approved_at IS NOT NULL AND retired_at IS NULL
      WHEN 'RETIRED' THEN retired_at IS NOT NULL ELSE false END);
  DROP INDEX rate_card_version_key;
  CREATE UNIQUE INDEX rate_card_version_key ON rate_card (version) WHERE provider_id IS NULL;
  CREATE UNIQUE INDEX rate_card_provider_version_key ON rate_card (provider_id, version) WHERE provider_id IS NOT NULL;

  -- What was negotiated with one provider is nobody else's business, and a proposal is nobody's but the operators'.
  DROP POLICY rate_card_select ON rate_card;
  DROP POLICY pricing_tier_select ON pricing_tier;
  REVOKE ALL ON rate_card, pricing_tier FROM ${TENANT_ROLE};
  CREATE POLICY pricing_tier_select ON pricing_tier FOR SELECT TO ${TENANT_ROLE} USING (rate_card_id IN (SELECT id FROM rate_card));
  CREATE POLICY pricing_tier_insert ON pricing_tier FOR INSERT TO ${TENANT_ROLE} WITH CHECK (${SEES_ALL});
  GRANT SELECT, INSERT ON pricing_tier TO ${TENANT_ROLE};

  CREATE FUNCTION rate_card_terms_are_final() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF (to_jsonb(OLD) - '{state,approved_at,approved_by,retired_at,retired_by}'::text[])
       <> (to_jsonb(NEW) - '{state,approved_at,approved_by,retired_at,retired_by}'::text[]) THEN
      RAISE EXCEPTION 'the terms of a rate card never change' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
  END $$;
  CREATE TRIGGER rate_card_terms_are_final BEFORE UPDATE ON rate_card FOR EACH ROW EXECUTE FUNCTION rate_card_terms_are_final();`;

const tables = `
  CREATE TABLE statement (
    id uuid NOT NULL,
    provider_id uuid NOT NULL,
    period text NOT NULL,
    state text NOT NULL,
    total_nano_usd bigint NOT NULL,
    drafted_at timestamptz NOT NULL,
    review_ends_at timestamptz,
    approved_at timestamptz,
    approved_by uuid,
    finalised_at timestamptz,
    due_at timestamptz NOT NULL,
    version integer NOT NULL,
    CONSTRAINT statement_state_check CHECK (state IN ('DRAFT','IN_REVIEW','DISPUTED','FINAL')),
    CONSTRAINT statement_period_check CHECK (period ~ '^2[0-9]{3}-(0[1-9]|1[0-2])$'),
    CONSTRAINT statement_total_check CHECK (total_nano_usd >= 0),
    CONSTRAINT statement_final_check CHECK ((state = 'FINAL') = (finalised_at IS NOT NULL) AND (state = 'DRAFT' OR review_ends_at IS NOT NULL)),
    CONSTRAINT statement_pkey PRIMARY KEY (id),
    CONSTRAINT statement_provider_id_fkey FOREIGN KEY (provider_id) REFERENCES organisation(id)
  );
  CREATE UNIQUE INDEX statement_period_key ON statement (provider_id, period);
  CREATE INDEX statement_under_way ON statement (state, review_ends_at) WHERE state <> 'FINAL';
  CREATE INDEX statement_due ON statement (due_at) WHERE state = 'FINAL' AND total_nano_usd > 0;

  CREATE TABLE statement_line (
    id uuid NOT NULL,
    statement_id uuid NOT NULL,
    kind text NOT NULL,
    amount_nano_usd bigint NOT NULL,
    accelerator text,
    region text,
    segment text,
    workload text,
    fixing_id uuid,
    rate_card_id uuid,
    price_nano_usd bigint,
    share_ppm bigint,
    requests integer NOT NULL,
    gpu_nanos bigint NOT NULL,
    source_id uuid,
    reason text,
    evidence jsonb,
    created_at timestamptz NOT NULL,
    CONSTRAINT statement_line_kind_check CHECK (kind IN ('ACCRUAL','TRUE_UP','CLAIM','SLA_ADJUSTMENT','CREDIT_NOTE','HOLDBACK','HOLDBACK_RELEASE')),
    CONSTRAINT statement_line_accrual_check CHECK ((kind = 'ACCRUAL') = (fixing_id IS NOT NULL)),
    CONSTRAINT statement_line_pkey PRIMARY KEY (id),
    CONSTRAINT statement_line_statement_id_fkey FOREIGN KEY (statement_id) REFERENCES statement(id)
  );
  CREATE INDEX statement_line_statement ON statement_line (statement_id, id);
  CREATE UNIQUE INDEX statement_line_source_key ON statement_line (kind, source_id) WHERE kind IN ('CLAIM','HOLDBACK_RELEASE');

  CREATE TABLE statement_dispute (
    id uuid NOT NULL,
    statement_id uuid NOT NULL,
    line_id uuid NOT NULL,
    provider_id uuid NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    opened_at timestamptz NOT NULL,
    opened_by uuid NOT NULL,
    answer text,
    credit_nano_usd bigint,
    resolved_at timestamptz,
    resolved_by uuid,
    CONSTRAINT statement_dispute_state_check CHECK (state IN ('OPEN','UPHELD','DISMISSED')),
    CONSTRAINT statement_dispute_answer_check CHECK ((state = 'OPEN') = (resolved_at IS NULL) AND (state = 'OPEN') = (answer IS NULL)),
    CONSTRAINT statement_dispute_pkey PRIMARY KEY (id),
    CONSTRAINT statement_dispute_statement_id_fkey FOREIGN KEY (statement_id) REFERENCES statement(id),
    CONSTRAINT statement_dispute_line_id_fkey FOREIGN KEY (line_id) REFERENCES statement_line(id),
    CONSTRAINT statement_dispute_provider_id_fkey FOREIGN KEY (provider_id) REFERENCES organisation(id)
  );
  CREATE INDEX statement_dispute_statement ON statement_dispute (statement_id, id);
  CREATE UNIQUE INDEX statement_dispute_open_key ON statement_dispute (line_id) WHERE state = 'OPEN';

  CREATE TABLE credit_note (
    id uuid NOT NULL,
    provider_id uuid NOT NULL,
    statement_id uuid NOT NULL,
    amount_nano_usd bigint NOT NULL,
    remaining_nano_usd bigint NOT NULL,
    reason text NOT NULL,
    created_at timestamptz NOT NULL,
    created_by uuid NOT NULL,
    CONSTRAINT credit_note_amount_check CHECK (amount_nano_usd <> 0),
    CONSTRAINT credit_note_remaining_check CHECK (remaining_nano_usd BETWEEN least(amount_nano_usd, 0) AND greatest(amount_nano_usd, 0)),
    CONSTRAINT credit_note_pkey PRIMARY KEY (id),
    CONSTRAINT credit_note_provider_id_fkey FOREIGN KEY (provider_id) REFERENCES organisation(id),
    CONSTRAINT credit_note_statement_id_fkey FOREIGN KEY (statement_id) REFERENCES statement(id)
  );
  CREATE INDEX credit_note_open ON credit_note (provider_id, id) WHERE remaining_nano_usd <> 0;`;

/** What PostgreSQL itself refuses, whoever asks: a change of what is final, and a provider's request that decides for the operator. */
const guards = (schema: string) => `
  CREATE FUNCTION statement_is_guarded() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
  BEGIN
    IF TG_OP = 'DELETE' OR OLD.state = 'FINAL' THEN
      RAISE EXCEPTION 'a final statement never changes, and none is ever deleted' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NOT acting_may_post() AND (NEW.total_nano_usd <> OLD.total_nano_usd
         OR NOT (NEW.state = OLD.state OR (OLD.state = 'IN_REVIEW' AND NEW.state = 'DISPUTED'))) THEN
      RAISE EXCEPTION 'a provider approves or disputes' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
  END $$;
  CREATE TRIGGER statement_is_guarded BEFORE UPDATE OR DELETE ON statement FOR EACH ROW EXECUTE FUNCTION statement_is_guarded();

  CREATE FUNCTION statement_line_is_final() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
  BEGIN
    IF TG_OP = 'INSERT' AND (SELECT s.state <> 'FINAL' FROM statement s WHERE s.id = NEW.statement_id) THEN
      RETURN NEW;
    END IF;
    RAISE EXCEPTION 'lines of a statement are added before it is final, and never changed' USING ERRCODE = 'insufficient_privilege';
  END $$;
  CREATE TRIGGER statement_line_is_final BEFORE INSERT OR UPDATE OR DELETE ON statement_line
    FOR EACH ROW EXECUTE FUNCTION statement_line_is_final();

  CREATE FUNCTION statement_dispute_is_guarded() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
  BEGIN
    IF OLD.state <> 'OPEN' OR NOT acting_may_post() THEN
      RAISE EXCEPTION 'a dispute is answered once, by an operator' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
  END $$;
  CREATE TRIGGER statement_dispute_is_guarded BEFORE UPDATE ON statement_dispute
    FOR EACH ROW EXECUTE FUNCTION statement_dispute_is_guarded();

  REVOKE EXECUTE ON FUNCTION statement_is_guarded(), statement_line_is_final(), statement_dispute_is_guarded() FROM PUBLIC;`;

const policies = [
  rowPolicies(
    "rate_card",
    { sees: `(state <> 'PROPOSED' AND (provider_id IS NULL OR provider_id = ${TENANT}))`, changes: "false" },
    { insert: true, update: ["state", "approved_at", "approved_by", "retired_at", "retired_by"] },
  ),
  // A draft is not yet known to match: its provider does not see it.
  rowPolicies(
    "statement",
    { sees: `(provider_id = ${TENANT} AND state <> 'DRAFT')`, changes: `provider_id = ${TENANT}` },
    { update: ["state", "total_nano_usd", "review_ends_at", "approved_at", "approved_by", "finalised_at", "version"] },
  ),
  rowPolicies(
    "statement_line",
    { sees: "statement_id IN (SELECT id FROM statement)", changes: "false" },
    { insert: true },
  ),
  ownedThrough("statement_dispute", "statement_id", "statement", {
    insert: true,
    update: ["state", "answer", "credit_nano_usd", "resolved_at", "resolved_by"],
  }),
  rowPolicies(
    "credit_note",
    { sees: `provider_id = ${TENANT}`, changes: "false" },
    { insert: true, update: ["remaining_nano_usd"] },
  ),
];

export class Statements implements MigrationInterface {
  readonly name = "statements-1763900000021";

  async up(runner: QueryRunner): Promise<void> {
    const [{ schema }] = await runner.query("SELECT quote_ident(current_schema()) AS schema");
    for (const statement of [rateCards, tables, guards(schema), ...policies]) await runner.query(statement);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
