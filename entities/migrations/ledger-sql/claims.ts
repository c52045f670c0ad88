/** SQL of migration 0020: what a claim moves. Amount and parties are read from its row, so that nobody can say others. */
import { TENANT_ROLE } from "../../row-policies";

/** Whether the attempt was charged after all: then its provider has been credited already. */
const settled = `
  CREATE FUNCTION claim_is_settled(c provider_claim) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM usage_record u WHERE u.id = c.request_id AND u.endpoint_id = c.endpoint_id)
  $$;`;

/** Expense → suspense, once. Answers SUSPENDED, or SETTLED when there is nothing to claim. */
const suspend = (schema: string) => `
  CREATE FUNCTION ledger_suspend_claim(claim uuid) RETURNS text
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
  DECLARE
    c provider_claim;
    movement uuid := ledger_named_id(claim, 'suspended');
  BEGIN
    PERFORM ledger_lock();
    SELECT * INTO STRICT c FROM provider_claim WHERE id = claim FOR UPDATE;
    IF NOT (acting_may_post() OR c.provider_id = acting_tenant_id())
       OR NOT EXISTS (SELECT FROM endpoint e WHERE e.id = c.endpoint_id AND e.provider_id = c.provider_id) THEN
      RAISE EXCEPTION 'not a claim of this tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF claim_is_settled(c) THEN RETURN 'SETTLED'; END IF;
    IF c.state = 'SUBMITTED' AND NOT EXISTS (SELECT FROM transfer t WHERE t.id = movement) THEN
      PERFORM ledger_move(movement, claim, 'CLAIM_SUSPENDED', (SELECT id FROM ledger_account WHERE name = 'expense:claims'),
                          (SELECT id FROM ledger_account WHERE name = 'suspense:claims'), c.amount_nano_usd, c.submitted_at);
    END IF;
    RETURN 'SUSPENDED';
  END $$;`;

/**
 * Suspense → the provider's payable of the first open month, or back. Answers PAID or REJECTED; SETTLED, when it would pay what a
 * late settlement has paid; NOT_SUBMITTED, when it was decided before.
 */
const decide = (schema: string) => `
  CREATE FUNCTION ledger_decide_claim(claim uuid, pays boolean, reason text, at timestamptz) RETURNS text
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
  DECLARE
    c provider_claim;
    month text := ledger_open_period(to_char(at AT TIME ZONE 'UTC', 'YYYY-MM'));
    suspense uuid := (SELECT id FROM ledger_account WHERE name = 'suspense:claims');
    goes_to uuid;
  BEGIN
    IF NOT acting_may_post() THEN
      RAISE EXCEPTION 'claims are decided by operators' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM ledger_lock();
    SELECT * INTO STRICT c FROM provider_claim WHERE id = claim FOR UPDATE;
    IF c.state <> 'SUBMITTED' THEN RETURN 'NOT_SUBMITTED'; END IF;
    IF pays THEN
      IF claim_is_settled(c) THEN RETURN 'SETTLED'; END IF;
      INSERT INTO ledger_account (id, name, ledger, kind, organisation_id, period, limited, created_at)
      VALUES (gen_random_uuid(), 'payable:' || c.provider_id || ':' || month, 'USD', 'PROVIDER_PAYABLE', c.provider_id, month, true, at)
      ON CONFLICT (name) DO NOTHING;
      goes_to := (SELECT id FROM ledger_account WHERE name = 'payable:' || c.provider_id || ':' || month);
      PERFORM ledger_move(ledger_named_id(claim, 'paid'), claim, 'CLAIM_PAID', suspense, goes_to, c.amount_nano_usd, at);
    ELSE
      goes_to := (SELECT id FROM ledger_account WHERE name = 'expense:claims');
      PERFORM ledger_move(ledger_named_id(claim, 'rejected'), claim, 'CLAIM_REJECTED', suspense, goes_to, c.amount_nano_usd, at);
    END IF;
    UPDATE provider_claim
       SET state = CASE WHEN pays THEN 'PAID' ELSE 'REJECTED' END, decided_at = at, decision = reason,
           period = CASE WHEN pays THEN month END, version = version + 1
     WHERE id = claim;
    RETURN CASE WHEN pays THEN 'PAID' ELSE 'REJECTED' END;
  END $$;`;

/** What is known of an attempt, to its provider's endpoint alone: the hold that it may cost at most, and how the relay says that it ended. */
const known = (schema: string) => `
  CREATE FUNCTION claim_evidence(request uuid, endpoint uuid, attempt integer)
  RETURNS TABLE (settled boolean, held_nano_credit bigint, hold_state text, model text, outcome text, result text)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
  BEGIN
    IF NOT (acting_may_post() OR EXISTS (SELECT FROM endpoint e WHERE e.id = claim_evidence.endpoint AND e.provider_id = acting_tenant_id())) THEN
      RAISE EXCEPTION 'not an endpoint of this tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN QUERY
    SELECT EXISTS (SELECT FROM usage_record u WHERE u.id = request AND u.endpoint_id = claim_evidence.endpoint),
           h.amount_nano_credit, h.state, d.model, d.outcome,
           CASE WHEN d.attempts -> (claim_evidence.attempt - 1) ->> 'endpointId' = claim_evidence.endpoint::text
                THEN d.attempts -> (claim_evidence.attempt - 1) ->> 'result' END
      FROM (SELECT 1) AS one LEFT JOIN hold h ON h.id = request LEFT JOIN routing_decision d ON d.id = request;
  END $$;`;

const grants = `
  REVOKE EXECUTE ON FUNCTION claim_is_settled(provider_claim), ledger_suspend_claim(uuid), ledger_decide_claim(uuid, boolean, text, timestamptz),
    claim_evidence(uuid, uuid, integer) FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION ledger_suspend_claim(uuid), ledger_decide_claim(uuid, boolean, text, timestamptz),
    claim_evidence(uuid, uuid, integer) TO ${TENANT_ROLE};`;

export const claimFunctions = (schema: string): string[] => [
  settled,
  suspend(schema),
  decide(schema),
  known(schema),
  grants,
];
