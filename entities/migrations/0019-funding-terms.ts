/** Gives facilities terms and covenants, lots an expiry, and lenders their figures: fees charged, coverage alerts, use of credit. */
import type { MigrationInterface, QueryRunner } from "typeorm";
import { ownedThrough, systemOnly, TENANT_ROLE } from "../row-policies";

const tables = `
  ALTER TABLE facility
    ADD COLUMN origination_fee_ppm bigint NOT NULL DEFAULT 0,
    ADD COLUMN servicing_fee_ppm bigint NOT NULL DEFAULT 0,
    ADD COLUMN tenor_days integer,
    ADD COLUMN coverage_floor_ppm bigint NOT NULL DEFAULT 1000000,
    ADD COLUMN startup_limit_ppm bigint NOT NULL DEFAULT 1000000,
    ADD COLUMN closed_at timestamptz,
    ADD CONSTRAINT facility_terms_check
      CHECK (origination_fee_ppm BETWEEN 0 AND 50000 AND servicing_fee_ppm BETWEEN 0 AND 20000 AND tenor_days BETWEEN 1 AND 3650),
    ADD CONSTRAINT facility_covenants_check
      CHECK (coverage_floor_ppm BETWEEN 1000000 AND 2000000 AND startup_limit_ppm BETWEEN 1 AND 1000000);
  GRANT UPDATE (limit_nano_usd, state, closed_at) ON facility TO ${TENANT_ROLE};

  ALTER TABLE drawdown
    ADD COLUMN origination_fee_nano_usd bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT drawdown_fee_check CHECK (origination_fee_nano_usd BETWEEN 0 AND funded_nano_usd - 1);

  ALTER TABLE credit_lot
    ADD COLUMN priority integer NOT NULL DEFAULT 100,
    ADD COLUMN expires_at timestamptz,
    ADD COLUMN accelerators text[],
    ADD COLUMN workloads text[];
  CREATE INDEX ledger_account_expiry ON ledger_account (expires_at) WHERE expires_at IS NOT NULL;

  CREATE TABLE servicing_fee (
    facility_id uuid NOT NULL,
    period text NOT NULL,
    drawn_nano_usd bigint NOT NULL,
    fee_ppm bigint NOT NULL,
    amount_nano_usd bigint NOT NULL,
    transfer_id uuid,
    charged_at timestamptz NOT NULL,
    CONSTRAINT servicing_fee_period_check CHECK (period ~ '^2[0-9]{3}-(0[1-9]|1[0-2])$'),
    CONSTRAINT servicing_fee_amount_check CHECK (drawn_nano_usd >= 0 AND amount_nano_usd >= 0),
    CONSTRAINT servicing_fee_pkey PRIMARY KEY (facility_id, period),
    CONSTRAINT servicing_fee_facility_id_fkey FOREIGN KEY (facility_id) REFERENCES facility(id)
  );

  CREATE TABLE coverage_alert (
    id uuid NOT NULL,
    subject text NOT NULL,
    facility_id uuid,
    ratio_ppm bigint NOT NULL,
    floor_ppm bigint NOT NULL,
    backing_nano_usd bigint NOT NULL,
    outstanding_nano_credit bigint NOT NULL,
    worst_cost_ppm bigint NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    CONSTRAINT coverage_alert_pkey PRIMARY KEY (id),
    CONSTRAINT coverage_alert_facility_id_fkey FOREIGN KEY (facility_id) REFERENCES facility(id)
  );
  CREATE UNIQUE INDEX coverage_alert_open_key ON coverage_alert (subject) WHERE closed_at IS NULL;
  CREATE INDEX coverage_alert_facility ON coverage_alert (facility_id);

  CREATE TABLE credit_use (
    facility_id uuid NOT NULL,
    startup_id uuid NOT NULL,
    hour timestamptz NOT NULL,
    accelerator text NOT NULL,
    region text NOT NULL,
    sla_tier text NOT NULL,
    requests bigint NOT NULL,
    spent_nano_credit bigint NOT NULL,
    CONSTRAINT credit_use_amounts_check CHECK (requests >= 0 AND spent_nano_credit > 0),
    CONSTRAINT credit_use_pkey PRIMARY KEY (facility_id, startup_id, hour, accelerator, region, sla_tier),
    CONSTRAINT credit_use_facility_id_fkey FOREIGN KEY (facility_id) REFERENCES facility(id),
    CONSTRAINT credit_use_startup_id_fkey FOREIGN KEY (startup_id) REFERENCES organisation(id)
  );
  CREATE INDEX credit_use_hour ON credit_use (facility_id, hour);

  CREATE TABLE credit_use_mark (
    one boolean NOT NULL,
    seq bigint NOT NULL,
    CONSTRAINT credit_use_mark_one_check CHECK (one),
    CONSTRAINT credit_use_mark_pkey PRIMARY KEY (one)
  );
  INSERT INTO credit_use_mark VALUES (true, 0);`;

/**
 * Takes what is left of lots past their expiry: what is free and what blocks hold; what is held or lent out follows in a
 * later call, when it has come back. The dollars behind it are worked out over all that a lot has lost so far, so that the
 * number of calls changes nothing. Ids follow from the lot and what it had lost before: a repeat finds nothing to take,
 * and could not take it twice. A block of credit that is gone has nothing left to restore.
 */
const expire = `
  CREATE FUNCTION funding_expire_lots(at timestamptz, lots_max integer)
  RETURNS TABLE (startup_id uuid, credit bigint, dollars bigint) LANGUAGE plpgsql AS $$
  #variable_conflict use_column
  DECLARE
    booked timestamptz;
    due uuid[];
  BEGIN
    PERFORM ledger_lock();
    booked := greatest(at, ledger_books_open_since());
    due := ARRAY(
      SELECT w.lot_id FROM ledger_account w
        LEFT JOIN ledger_account b ON b.lot_id = w.lot_id AND b.kind = 'BLOCKED'
       WHERE w.expires_at <= at AND w.kind = 'WALLET_LOT'
         AND w.credits_posted - w.debits_posted - w.debits_pending + coalesce(b.credits_posted - b.debits_posted, 0) > 0
       ORDER BY w.priority, w.expires_at, w.id LIMIT lots_max);
    IF cardinality(due) = 0 THEN RETURN; END IF;

    INSERT INTO ledger_account (id, name, ledger, kind, organisation_id, facility_id, lot_id, limited, created_at)
    SELECT gen_random_uuid(), 'lot:' || w.lot_id || ':breakage', 'CRD', 'CREDIT_BREAKAGE', w.organisation_id, w.facility_id, w.lot_id, true, at
      FROM ledger_account w WHERE w.kind = 'WALLET_LOT' AND w.lot_id = ANY (due)
    ON CONFLICT (name) DO NOTHING;

    UPDATE block_lot o SET blocked_nano_credit = o.assigned_nano_credit
      FROM ledger_account w, block k
     WHERE w.kind = 'WALLET_LOT' AND w.lot_id = ANY (due) AND o.lot_account_id = w.id AND k.id = o.block_id
       AND k.state IN ('PLACING', 'ACTIVE') AND o.blocked_nano_credit > o.assigned_nano_credit;

    RETURN QUERY
    WITH lot AS MATERIALIZED (
      SELECT w.lot_id, w.organisation_id, w.id AS wallet_id, w.credits_posted - w.debits_posted - w.debits_pending AS free,
             b.id AS blocked_id, coalesce(b.credits_posted - b.debits_posted, 0) AS blocked, e.id AS breakage_id, e.credits_posted AS before,
             k.id AS backing_id, w.multiplier_ppm
        FROM ledger_account w
        LEFT JOIN ledger_account b ON b.lot_id = w.lot_id AND b.kind = 'BLOCKED'
        JOIN ledger_account e ON e.lot_id = w.lot_id AND e.kind = 'CREDIT_BREAKAGE'
        JOIN ledger_account k ON k.kind = 'FACILITY_BACKING' AND k.facility_id = w.facility_id
       WHERE w.kind = 'WALLET_LOT' AND w.lot_id = ANY (due)
    ), gone AS MATERIALIZED (
      SELECT l.*, (div((l.before + l.free + l.blocked)::numeric * 1000000, l.multiplier_ppm)
                   - div(l.before::numeric * 1000000, l.multiplier_ppm))::bigint AS dollars
        FROM lot l
    ), leg AS (
      SELECT lot_id, before, 'BREAKAGE' AS code, 'free' AS what, wallet_id AS debit, breakage_id AS credit, free AS amount FROM gone
      UNION ALL SELECT lot_id, before, 'BREAKAGE', 'blocked', blocked_id, breakage_id, blocked FROM gone
      UNION ALL SELECT lot_id, before, 'BREAKAGE_BACKING', 'backing', backing_id,
                       (SELECT id FROM ledger_account WHERE name = 'revenue:breakage'), dollars FROM gone
    ), posted AS MATERIALIZED (
      SELECT ledger_post(json_agg(json_build_object(
               'id', ledger_named_id(lot_id, 'expiry:' || what || ':' || before), 'groupId', ledger_named_id(lot_id, 'expiry:' || before),
               'code', code, 'debit', debit, 'credit', leg.credit, 'amount', amount, 'bookedAt', booked) ORDER BY lot_id, what))
        FROM leg WHERE amount > 0
    )
    SELECT g.organisation_id, sum(g.free + g.blocked)::bigint, sum(g.dollars)::bigint
      FROM gone g, posted GROUP BY g.organisation_id;
  END $$;
  REVOKE EXECUTE ON FUNCTION funding_expire_lots(timestamptz, integer) FROM PUBLIC;`;

export class FundingTerms implements MigrationInterface {
  readonly name = "funding-terms-1763900000019";

  async up(runner: QueryRunner): Promise<void> {
    const statements = [
      tables,
      ownedThrough("servicing_fee", "facility_id", "facility"),
      ownedThrough("coverage_alert", "facility_id", "facility"),
      ownedThrough("credit_use", "facility_id", "facility"),
      systemOnly("credit_use_mark"),
      expire,
    ];
    for (const statement of statements) await runner.query(statement);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
