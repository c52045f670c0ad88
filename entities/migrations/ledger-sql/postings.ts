/** SQL of migration 0017: what books plain transfers, opens accounts and issues lots, and which months it may book into. */
import { TENANT_ROLE } from "../../row-policies";

/** SQLSTATE by which callers know that a posting was meant for a closed month. */
export const PERIOD_CLOSED_STATE = "XP001";

const periods = `
  CREATE FUNCTION ledger_books_open_since() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT ((max(period) || '-01')::timestamp + interval '1 month') AT TIME ZONE 'UTC' FROM accounting_period), '-infinity')
  $$;
  -- What comes too late for its month is booked into the first one that is open, with its own service date beside it.
  CREATE FUNCTION ledger_first_open_period() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT to_char((max(period) || '-01')::timestamp + interval '1 month', 'YYYY-MM') FROM accounting_period
  $$;
  CREATE FUNCTION ledger_open_period(wanted text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT greatest(wanted, ledger_first_open_period())
  $$;`;

/** One movement, for acts that are rare enough to be booked one by one. The caller holds the ledger's lock. */
const move = `
  CREATE FUNCTION ledger_move(transfer_id uuid, act uuid, why text, from_account uuid, to_account uuid, amount bigint, at timestamptz) RETURNS void
  LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO transfer (id, group_id, kind, code, debit_account_id, credit_account_id, amount, booked_at)
    VALUES (transfer_id, act, 'POSTED', why, from_account, to_account, amount, greatest(at, ledger_books_open_since()));
    UPDATE ledger_account a
       SET debits_posted = a.debits_posted + CASE WHEN a.id = from_account THEN ledger_move.amount ELSE 0 END,
           credits_posted = a.credits_posted + CASE WHEN a.id = to_account THEN ledger_move.amount ELSE 0 END
     WHERE a.id IN (from_account, to_account);
    IF (SELECT count(DISTINCT a.ledger) <> 1 OR count(*) <> 2 FROM ledger_account a WHERE a.id IN (from_account, to_account)) THEN
      RAISE EXCEPTION 'a transfer needs two accounts of one ledger' USING ERRCODE = 'foreign_key_violation';
    END IF;
  END $$;`;

/** As in migration 0011, and into open months only. */
const post = `
  CREATE OR REPLACE FUNCTION ledger_post(items json) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM ledger_lock();
    IF EXISTS (SELECT 1 FROM json_to_recordset(items) AS i("bookedAt" timestamptz) WHERE i."bookedAt" < ledger_books_open_since()) THEN
      RAISE EXCEPTION 'the books are closed until %', ledger_books_open_since() USING ERRCODE = '${PERIOD_CLOSED_STATE}';
    END IF;
    -- An account that does not exist would be updated nowhere, and half a transfer would be booked.
    IF EXISTS (SELECT 1 FROM json_to_recordset(items) AS i(debit uuid, credit uuid)
                 LEFT JOIN ledger_account d ON d.id = i.debit LEFT JOIN ledger_account c ON c.id = i.credit
                WHERE d.ledger IS NULL OR d.ledger IS DISTINCT FROM c.ledger) THEN
      RAISE EXCEPTION 'a transfer needs two accounts of one ledger' USING ERRCODE = 'foreign_key_violation';
    END IF;
    WITH item AS (
      SELECT * FROM json_to_recordset(items) AS i(
        id uuid, "groupId" uuid, code text, debit uuid, credit uuid, amount bigint, "bookedAt" timestamptz)
    ), leg AS (
      INSERT INTO transfer (id, group_id, kind, code, debit_account_id, credit_account_id, amount, booked_at)
      SELECT id, "groupId", 'POSTED', code, debit, credit, amount, "bookedAt" FROM item
    ), delta AS (
      SELECT account_id, sum(debit) AS debit, sum(credit) AS credit FROM (
        SELECT debit AS account_id, amount AS debit, 0 AS credit FROM item
        UNION ALL SELECT credit, 0, amount FROM item
      ) AS side GROUP BY account_id
    )
    UPDATE ledger_account a
       SET debits_posted = a.debits_posted + d.debit, credits_posted = a.credits_posted + d.credit
      FROM delta d WHERE a.id = d.account_id;
  END $$;`;

/** The same by the names of accounts, which is how people know them; in a request for operators alone. */
const named = (schema: string) => `
  CREATE FUNCTION acting_may_post() RETURNS boolean
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
    SELECT current_setting('role') <> '${TENANT_ROLE}' OR acting_sees_all()
  $$;

  CREATE FUNCTION ledger_open_account(account json) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
  BEGIN
    IF NOT acting_may_post() THEN
      RAISE EXCEPTION 'accounts are opened by operators' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO ledger_account (id, name, ledger, kind, organisation_id, facility_id, period, limited, created_at)
    SELECT r.id, r.name, r.ledger, r.kind, r."organisationId", r."facilityId", r.period, r.limited, r."createdAt"
      FROM json_to_record(account) AS r(id uuid, name text, ledger text, kind text, "organisationId" uuid, "facilityId" uuid, period text,
           limited boolean, "createdAt" timestamptz)
    ON CONFLICT (name) DO NOTHING;
  END $$;

  CREATE FUNCTION ledger_post_named(items json) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
  BEGIN
    IF NOT acting_may_post() THEN
      RAISE EXCEPTION 'transfers are posted by operators' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM ledger_post((
      SELECT json_agg(json_build_object('id', i.id, 'groupId', i."groupId", 'code', i.code, 'debit', d.id, 'credit', c.id,
                                        'amount', i.amount, 'bookedAt', i."bookedAt"))
        FROM json_to_recordset(items) AS i(id uuid, "groupId" uuid, code text, debit text, credit text, amount bigint, "bookedAt" timestamptz)
        LEFT JOIN ledger_account d ON d.name = i.debit LEFT JOIN ledger_account c ON c.name = i.credit));
  END $$;`;

/**
 * Members of lot: groupId, accountId, fundingId, feeId, issuanceId, lotId, facilityId, startupId, funded, fee, credit, multiplierPpm,
 * priority, expiresAt, accelerators, workloads, bookedAt. The cost basis counts what stands behind the credit once the fee is
 * taken, rounded so that the backing which charges release never exceeds it.
 */
const issueLot = (schema: string) => `
  CREATE OR REPLACE FUNCTION ledger_issue_lot(lot json) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
  DECLARE
    i record;
    cash uuid := (SELECT id FROM ledger_account WHERE name = 'cash:trust');
    backing uuid;
    issuance uuid;
    basis_ppm bigint;
  BEGIN
    SELECT * INTO i FROM json_to_record(lot) AS r("groupId" uuid, "accountId" uuid, "fundingId" uuid, "feeId" uuid, "issuanceId" uuid,
      "lotId" uuid, "facilityId" uuid, "startupId" uuid, funded bigint, fee bigint, credit bigint, "multiplierPpm" bigint,
      priority integer, "expiresAt" timestamptz, accelerators text[], workloads text[], "bookedAt" timestamptz);
    IF NOT acting_may_fund(i."facilityId") THEN
      RAISE EXCEPTION 'not a facility of this tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- A request issues what its own drawdown says, once, at the facility's multiplier, and nothing else.
    IF current_setting('role') = '${TENANT_ROLE}' AND (
         NOT EXISTS (SELECT FROM drawdown d JOIN facility f ON f.id = d.facility_id
                      WHERE d.id = i."groupId" AND d.facility_id = i."facilityId" AND d.startup_id = i."startupId"
                        AND d.funded_nano_usd = i.funded AND f.multiplier_ppm = i."multiplierPpm")
         OR abs(i.credit::numeric * 1000000 - i.funded::numeric * i."multiplierPpm") > 500000
         OR EXISTS (SELECT FROM transfer t WHERE t.group_id = i."groupId")) THEN
      RAISE EXCEPTION 'a lot is issued as its drawdown says, once' USING ERRCODE = 'insufficient_privilege';
    END IF;
    basis_ppm := CASE WHEN i.fee = 0 THEN i."multiplierPpm" ELSE ceil(i.credit::numeric * 1000000 / (i.funded - i.fee)) END;
    SELECT id INTO STRICT backing FROM ledger_account WHERE name = 'facility:' || i."facilityId" || ':backing';
    SELECT id INTO STRICT issuance FROM ledger_account WHERE name = 'facility:' || i."facilityId" || ':issuance';
    INSERT INTO ledger_account (id, name, ledger, kind, organisation_id, facility_id, lot_id, multiplier_ppm, issued_nano_credit,
                                priority, expires_at, accelerators, workloads, limited, created_at)
    VALUES (i."accountId", 'wallet:' || i."startupId" || ':lot:' || i."lotId", 'CRD', 'WALLET_LOT', i."startupId", i."facilityId", i."lotId",
            basis_ppm, i.credit, i.priority, i."expiresAt", i.accelerators, i.workloads, true, i."bookedAt");
    PERFORM ledger_post((SELECT json_agg(p) FROM (VALUES
      (json_build_object('id', i."fundingId", 'groupId', i."groupId", 'code', 'FUNDING', 'debit', cash, 'credit', backing,
                         'amount', i.funded, 'bookedAt', i."bookedAt")),
      (json_build_object('id', i."issuanceId", 'groupId', i."groupId", 'code', 'ISSUANCE', 'debit', issuance, 'credit', i."accountId",
                         'amount', i.credit, 'bookedAt', i."bookedAt"))) AS v(p)));
    IF i.fee > 0 THEN
      PERFORM ledger_move(i."feeId", i."groupId", 'ORIGINATION_FEE', backing,
                          (SELECT id FROM ledger_account WHERE name = 'revenue:origination'), i.fee, i."bookedAt");
    END IF;
  END $$;

  REVOKE EXECUTE ON FUNCTION ledger_move(uuid, uuid, text, uuid, uuid, bigint, timestamptz), ledger_open_account(json),
    ledger_post_named(json), acting_may_post() FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION ledger_open_account(json), ledger_post_named(json) TO ${TENANT_ROLE};`;

export const postingFunctions = (schema: string): string[] => [periods, move, post, named(schema), issueLot(schema)];
