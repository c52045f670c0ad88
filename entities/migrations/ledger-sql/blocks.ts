/** SQL of migration 0020: what freezes, takes, restores and assigns the credit that a block covers. */
import { TENANT_ROLE } from "../../row-policies";

/**
 * Ids of movements that may be tried again: made from the act's own UUIDv7, whose time they share, and a name for the
 * movement. A repeat makes the same id and meets the primary key.
 */
const namedId = `
  CREATE FUNCTION ledger_named_id(act uuid, movement text) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (substr(act::text, 1, 15) || substr(h, 1, 3) || '-9' || substr(h, 4, 3) || '-' || substr(h, 7, 12))::uuid
      FROM (SELECT md5(act::text || movement) AS h) AS s
  $$;`;

/** The wallet lots that a block is about, in the order in which they are drawn on; one branch for each index. */
const covered = `
  CREATE FUNCTION block_covers(asked uuid)
  RETURNS TABLE (id uuid, lot_id uuid, facility_id uuid, startup_id uuid, expires_at timestamptz, multiplier_ppm bigint, free bigint, place bigint)
  LANGUAGE sql STABLE AS $$
    WITH covered AS (
      SELECT a.* FROM block b JOIN ledger_account a ON a.kind = 'WALLET_LOT' AND a.facility_id = b.facility_id WHERE b.id = asked
      UNION ALL
      SELECT a.* FROM block b JOIN ledger_account a ON a.kind = 'WALLET_LOT' AND a.lot_id = b.lot_id WHERE b.id = asked
      UNION ALL
      SELECT a.* FROM block b JOIN ledger_account a ON a.kind = 'WALLET_LOT' AND a.organisation_id = b.startup_id
       WHERE b.id = asked AND (b.capital_partner_id IS NULL
          OR EXISTS (SELECT FROM facility f WHERE f.id = a.facility_id AND f.capital_partner_id = b.capital_partner_id))
    )
    SELECT c.id, c.lot_id, c.facility_id, c.organisation_id, c.expires_at, c.multiplier_ppm,
           c.credits_posted - c.debits_posted - c.debits_pending,
           row_number() OVER (ORDER BY c.priority, c.expires_at NULLS LAST, c.id)
      FROM covered c
  $$;`;

/** In a request: whoever placed it, on nothing but lots of its own facilities; or an operator. */
const right = (schema: string) => `
  CREATE FUNCTION acting_may_block(asked uuid) RETURNS boolean
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
    SELECT current_setting('role') <> '${TENANT_ROLE}' OR acting_sees_all()
        OR (EXISTS (SELECT FROM block b WHERE b.id = asked AND b.placed_by_id = acting_tenant_id()
                       AND b.capital_partner_id = acting_tenant_id() AND (b.facility_id IS NULL OR acting_may_fund(b.facility_id)))
            AND NOT EXISTS (SELECT FROM block_covers(asked) c WHERE NOT acting_may_fund(c.facility_id)))
  $$;

  CREATE FUNCTION block_locked(asked uuid) RETURNS block LANGUAGE plpgsql AS $$
  DECLARE b block;
  BEGIN
    PERFORM ledger_lock();
    SELECT * INTO STRICT b FROM block WHERE id = asked FOR UPDATE;
    IF NOT acting_may_block(asked) THEN
      RAISE EXCEPTION 'not a block of this tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN b;
  END $$;`;

/** Figures of what a block could take: free in lots that have not expired, and lent to relays, which may or may not come back. */
const room = `
  CREATE FUNCTION block_room(asked uuid, at timestamptz, OUT free bigint, OUT leased bigint) LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(c.free), 0)::bigint,
           coalesce(sum((SELECT sum(l.credits_posted - l.debits_posted) FROM ledger_account l WHERE l.lot_id = c.lot_id AND l.kind = 'LEASED')), 0)::bigint
      FROM block_covers(asked) c
     WHERE c.expires_at IS NULL OR c.expires_at > at
  $$;`;

/** Nothing new is set aside on the lots from the commit on; what comes back to them is frozen with the rest. */
const freeze = `
  CREATE FUNCTION block_freeze(asked uuid) RETURNS void LANGUAGE sql AS $$
    INSERT INTO block_lot (block_id, lot_account_id, frozen) SELECT asked, c.id, true FROM block_covers(asked) c
    ON CONFLICT (block_id, lot_account_id) DO NOTHING;
    UPDATE ledger_account a SET frozen = a.frozen + 1 FROM block_lot l WHERE l.block_id = asked AND l.lot_account_id = a.id;
  $$;
  CREATE FUNCTION block_thaw(asked uuid) RETURNS void LANGUAGE sql AS $$
    UPDATE ledger_account a SET frozen = a.frozen - 1 FROM block_lot l WHERE l.block_id = asked AND l.frozen AND l.lot_account_id = a.id;
    UPDATE block_lot l SET frozen = false WHERE l.block_id = asked AND l.frozen;
  $$;`;

/** Moves \`wanted\` out of the lots in draw order, and remembers from which how much. There must be that much. */
const take = `
  CREATE FUNCTION block_take(asked uuid, wanted bigint, at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    WITH laid AS (
      SELECT c.id, sum(c.free) OVER (ORDER BY c.place) - c.free AS since, c.free
        FROM block_covers(asked) c WHERE c.free > 0 AND (c.expires_at IS NULL OR c.expires_at > at)
    )
    INSERT INTO block_lot (block_id, lot_account_id, frozen, blocked_nano_credit)
    SELECT asked, id, false, least(free, wanted - since) FROM laid WHERE since < wanted
    ON CONFLICT (block_id, lot_account_id) DO UPDATE SET blocked_nano_credit = EXCLUDED.blocked_nano_credit;
    IF (SELECT coalesce(sum(blocked_nano_credit), 0) FROM block_lot WHERE block_id = asked) <> wanted THEN
      RAISE EXCEPTION 'there is less than % to block', wanted USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO ledger_account (id, name, ledger, kind, organisation_id, facility_id, lot_id, limited, created_at)
    SELECT gen_random_uuid(), 'lot:' || a.lot_id || ':blocked', 'CRD', 'BLOCKED', a.organisation_id, a.facility_id, a.lot_id, true, at
      FROM block_lot l JOIN ledger_account a ON a.id = l.lot_account_id WHERE l.block_id = asked AND l.blocked_nano_credit > 0
    ON CONFLICT (name) DO NOTHING;
    PERFORM ledger_post(json_agg(json_build_object('id', ledger_named_id(asked, 'block:' || a.id), 'groupId', asked, 'code', 'BLOCK',
              'debit', a.id, 'credit', t.id, 'amount', l.blocked_nano_credit, 'bookedAt', greatest(at, ledger_books_open_since()))))
      FROM block_lot l
      JOIN ledger_account a ON a.id = l.lot_account_id
      JOIN ledger_account t ON t.name = 'lot:' || a.lot_id || ':blocked'
     WHERE l.block_id = asked AND l.blocked_nano_credit > 0;
  END $$;`;

/**
 * Answers {outcome, free, leased}: ACTIVE, when what was free sufficed and was taken at once; FROZEN, when relay processes
 * have to give back what they were lent first; EXCEEDS, when there cannot be enough. A repeat answers the block's state.
 */
const place = (schema: string) => `
  CREATE FUNCTION ledger_place_block(asked uuid, at timestamptz, took_ms integer) RETURNS json
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
  DECLARE
    b block := block_locked(asked);
    r record;
    outcome text := 'FROZEN';
  BEGIN
    SELECT * INTO r FROM block_room(asked, at);
    IF b.state <> 'PLACING' OR EXISTS (SELECT FROM block_lot l WHERE l.block_id = asked) THEN
      outcome := CASE b.state WHEN 'PLACING' THEN 'FROZEN' ELSE b.state END;
    ELSIF b.amount_nano_credit > r.free + r.leased THEN
      outcome := 'EXCEEDS';
    ELSIF b.amount_nano_credit <= r.free THEN
      PERFORM block_take(asked, b.amount_nano_credit, at);
      UPDATE block SET state = 'ACTIVE', effective_at = at, latency_ms = took_ms, version = version + 1 WHERE id = asked;
      outcome := 'ACTIVE';
    ELSE
      PERFORM block_freeze(asked);
    END IF;
    RETURN json_build_object('outcome', outcome, 'free', r.free::text, 'leased', r.leased::text);
  END $$;`;

/** When all leases are back: a whole block stands, a partial one takes its amount or is refused. Answers {outcome, free, leased}. */
const settle = (schema: string) => `
  CREATE FUNCTION ledger_settle_block(asked uuid, at timestamptz, took_ms integer) RETURNS json
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
  DECLARE
    b block := block_locked(asked);
    r record;
    outcome text := b.state;
  BEGIN
    SELECT * INTO r FROM block_room(asked, at);
    IF b.state = 'PLACING' THEN
      IF b.amount_nano_credit > r.free THEN outcome := 'REFUSED';
      ELSE
        outcome := 'ACTIVE';
        IF b.amount_nano_credit IS NOT NULL THEN PERFORM block_take(asked, b.amount_nano_credit, at); END IF;
      END IF;
      IF b.amount_nano_credit IS NOT NULL THEN PERFORM block_thaw(asked); END IF;
      UPDATE block SET state = outcome, version = version + 1, latency_ms = took_ms,
             effective_at = CASE outcome WHEN 'ACTIVE' THEN at END, ended_at = CASE outcome WHEN 'REFUSED' THEN at END
       WHERE id = asked;
    END IF;
    RETURN json_build_object('outcome', outcome, 'free', r.free::text, 'leased', r.leased::text);
  END $$;`;

/** Restores what the block froze and took, exactly; what was assigned meanwhile is gone. Answers the state that it was found in. */
const lift = (schema: string) => `
  CREATE FUNCTION ledger_lift_block(asked uuid, lifted_by uuid, at timestamptz) RETURNS text
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
  DECLARE
    b block := block_locked(asked);
  BEGIN
    IF b.state NOT IN ('PLACING', 'ACTIVE') THEN RETURN b.state; END IF;
    PERFORM block_thaw(asked);
    PERFORM ledger_post(json_agg(json_build_object('id', ledger_named_id(asked, 'unblock:' || a.id), 'groupId', asked, 'code', 'UNBLOCK',
              'debit', t.id, 'credit', a.id, 'amount', l.blocked_nano_credit - l.assigned_nano_credit,
              'bookedAt', greatest(at, ledger_books_open_since()))))
      FROM block_lot l
      JOIN ledger_account a ON a.id = l.lot_account_id
      JOIN ledger_account t ON t.name = 'lot:' || a.lot_id || ':blocked'
     WHERE l.block_id = asked AND l.blocked_nano_credit > l.assigned_nano_credit
    HAVING count(*) > 0;
    UPDATE block SET state = 'LIFTED', ended_by_id = lifted_by, ended_at = at, version = version + 1 WHERE id = asked;
    RETURN b.state;
  END $$;`;

/**
 * After a default: what is free and what is blocked in the covered lots becomes the lender's, with the dollars behind it.
 * What is held or lent out follows when it has come back and this is called again. Backing is rounded down over all that a
 * lot has given so far, so that the number of calls changes nothing. Answers {outcome, credit, backing} of this call.
 */
const assign = (schema: string) => `
  CREATE FUNCTION ledger_assign_block(asked uuid, assigned_by uuid, at timestamptz) RETURNS json
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
  DECLARE
    b block := block_locked(asked);
    legs json;
    credit numeric;
    backing numeric;
  BEGIN
    IF b.amount_nano_credit IS NOT NULL OR b.reason <> 'DEFAULT' OR b.state NOT IN ('ACTIVE', 'ASSIGNED') THEN
      RETURN json_build_object('outcome', 'NOT_ASSIGNABLE', 'credit', '0', 'backing', '0');
    END IF;
    INSERT INTO ledger_account (id, name, ledger, kind, organisation_id, facility_id, lot_id, limited, created_at)
    SELECT gen_random_uuid(), 'lot:' || c.lot_id || ':assigned', 'CRD', 'CREDIT_ASSIGNED', c.startup_id, c.facility_id, c.lot_id, true, at
      FROM block_covers(asked) c ON CONFLICT (name) DO NOTHING;
    INSERT INTO ledger_account (id, name, ledger, kind, organisation_id, limited, created_at)
    SELECT gen_random_uuid(), 'partner:' || p.id || ':principal', 'USD', 'PARTNER_PRINCIPAL', p.id, true, at
      FROM (SELECT DISTINCT f.capital_partner_id AS id FROM block_covers(asked) c JOIN facility f ON f.id = c.facility_id) p
    ON CONFLICT (name) DO NOTHING;

    WITH lot AS MATERIALIZED (
      SELECT c.id, c.free, t.id AS blocked_id, coalesce(t.credits_posted - t.debits_posted, 0) AS blocked, g.id AS assigned_id,
             k.id AS backing_id, p.id AS principal_id, l.assignments + 1 AS run, l.assigned_nano_credit AS earlier,
             div((l.assigned_nano_credit + c.free + coalesce(t.credits_posted - t.debits_posted, 0))::numeric * 1000000, c.multiplier_ppm)::bigint
               - l.assigned_backing_nano_usd AS dollars
        FROM block_covers(asked) c
        JOIN block_lot l ON l.block_id = asked AND l.lot_account_id = c.id
        JOIN facility f ON f.id = c.facility_id
        LEFT JOIN ledger_account t ON t.name = 'lot:' || c.lot_id || ':blocked'
        JOIN ledger_account g ON g.name = 'lot:' || c.lot_id || ':assigned'
        JOIN ledger_account k ON k.name = 'facility:' || c.facility_id || ':backing'
        JOIN ledger_account p ON p.name = 'partner:' || f.capital_partner_id || ':principal'
       WHERE c.free + coalesce(t.credits_posted - t.debits_posted, 0) > 0
    ), emptied AS (
      -- A partial block of the same lot has nothing left to restore.
      UPDATE block_lot o SET assigned_nano_credit = o.blocked_nano_credit
        FROM lot, block ob WHERE o.lot_account_id = lot.id AND ob.id = o.block_id AND o.block_id <> asked AND lot.blocked > 0 AND ob.state = 'ACTIVE'
    ), counted AS (
      UPDATE block_lot l SET assigned_nano_credit = lot.earlier + lot.free + lot.blocked, assignments = lot.run,
             assigned_backing_nano_usd = l.assigned_backing_nano_usd + lot.dollars
        FROM lot WHERE l.block_id = asked AND l.lot_account_id = lot.id
    ), leg AS (
      SELECT id, run, 'free' AS what, 'ASSIGNMENT' AS code, id AS debit, assigned_id AS credit, free AS amount FROM lot
      UNION ALL SELECT id, run, 'blocked', 'ASSIGNMENT', blocked_id, assigned_id, blocked FROM lot
      UNION ALL SELECT id, run, 'backing', 'ASSIGNED_BACKING', backing_id, principal_id, dollars FROM lot
    )
    SELECT json_agg(json_build_object('id', ledger_named_id(asked, 'assign:' || what || ':' || run || ':' || id), 'groupId', asked, 'code', code,
             'debit', debit, 'credit', leg.credit, 'amount', amount, 'bookedAt', greatest(at, ledger_books_open_since())) ORDER BY what, id),
           coalesce(sum(amount) FILTER (WHERE code = 'ASSIGNMENT'), 0), coalesce(sum(amount) FILTER (WHERE code = 'ASSIGNED_BACKING'), 0)
      INTO legs, credit, backing FROM leg WHERE amount > 0;
    IF legs IS NOT NULL THEN PERFORM ledger_post(legs); END IF;
    UPDATE block SET state = 'ASSIGNED', ended_by_id = assigned_by, ended_at = at, version = version + 1 WHERE id = asked AND state = 'ACTIVE';
    RETURN json_build_object('outcome', 'ASSIGNED', 'credit', credit::bigint::text, 'backing', backing::bigint::text);
  END $$;`;

/** The block that stands against lending from this facility to this startup, if any; none can come before the caller's commit. */
const standing = (schema: string) => `
  CREATE FUNCTION ledger_block_against(drawn_facility uuid, drawn_startup uuid) RETURNS uuid
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
  BEGIN
    IF NOT acting_may_fund(drawn_facility) THEN
      RAISE EXCEPTION 'not a facility of this tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM ledger_lock();
    RETURN (SELECT b.id FROM block b
             WHERE b.state IN ('PLACING', 'ACTIVE') AND b.amount_nano_credit IS NULL
               AND (b.facility_id = drawn_facility
                    OR (b.startup_id = drawn_startup AND (b.capital_partner_id IS NULL OR EXISTS (
                          SELECT FROM facility f WHERE f.id = drawn_facility AND f.capital_partner_id = b.capital_partner_id))))
             LIMIT 1);
  END $$;`;

const grants = `
  REVOKE EXECUTE ON FUNCTION ledger_named_id(uuid, text), block_covers(uuid), acting_may_block(uuid), block_locked(uuid), block_room(uuid, timestamptz),
    block_freeze(uuid), block_thaw(uuid), block_take(uuid, bigint, timestamptz), ledger_place_block(uuid, timestamptz, integer),
    ledger_settle_block(uuid, timestamptz, integer), ledger_lift_block(uuid, uuid, timestamptz), ledger_assign_block(uuid, uuid, timestamptz),
    ledger_block_against(uuid, uuid) FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION ledger_place_block(uuid, timestamptz, integer), ledger_settle_block(uuid, timestamptz, integer),
    ledger_lift_block(uuid, uuid, timestamptz), ledger_assign_block(uuid, uuid, timestamptz), ledger_block_against(uuid, uuid) TO ${TENANT_ROLE};`;

export const blockFunctions = (schema: string): string[] => [
  namedId,
  covered,
  right(schema),
  room,
  freeze,
  take,
  place(schema),
  settle(schema),
  lift(schema),
  assign(schema),
  standing(schema),
  grants,
];
