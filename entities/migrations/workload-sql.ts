/** SQL of migration 0027: charging a hold in stages, what is left staying where it is. */

/**
 * What a captured hold did not use is set aside again under the next one, slice by slice on the very lots that it lay on: in
 * the commit that freed it, so that neither another request nor a block can come between. Answers what it carries; nothing
 * is left: no hold. The caller holds the ledger's lock.
 */
const carry = `
  CREATE FUNCTION ledger_carry_hold(from_hold uuid, to_hold uuid, at timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
  DECLARE
    carried bigint;
    open_since timestamptz := ledger_books_open_since();
  BEGIN
    INSERT INTO hold (id, startup_id, amount_nano_credit, rate_card_id, state, placed_at, expires_at)
    SELECT to_hold, h.startup_id, h.amount_nano_credit - h.captured_nano_credit, h.rate_card_id, 'HELD', at, h.expires_at
      FROM hold h WHERE h.id = from_hold AND h.amount_nano_credit > h.captured_nano_credit
    RETURNING amount_nano_credit INTO carried;
    IF carried IS NULL THEN RETURN 0; END IF;
    -- Budgets go on counting it, in the period that it was made in; a limit that was lowered meanwhile is below it, as before.
    INSERT INTO hold_budget (hold_id, budget_id, period)
    SELECT to_hold, b.budget_id, b.period FROM hold_budget b WHERE b.hold_id = from_hold;
    UPDATE budget_period p
       SET ceiling_nano_credit = greatest(p.ceiling_nano_credit, p.spent_nano_credit + p.held_nano_credit + p.leased_nano_credit + carried)
      FROM hold_budget b WHERE b.hold_id = to_hold AND p.budget_id = b.budget_id AND p.period = b.period;
    PERFORM budget_count(ARRAY(SELECT ROW(b.budget_id, b.period, 0, carried, 0, NULL, NULL)::budget_delta
                                 FROM hold_budget b WHERE b.hold_id = to_hold));
    WITH slice AS MATERIALIZED (
      SELECT p.debit_account_id AS lot_id, p.credit_account_id AS redeemed_id, l.amount, row_number() OVER (ORDER BY p.id) AS leg
        FROM transfer p
        JOIN transfer r ON r.pending_id = p.id
       CROSS JOIN LATERAL (SELECT p.amount - CASE r.kind WHEN 'POST' THEN r.amount ELSE 0 END AS amount) l
       WHERE p.group_id = from_hold AND p.kind = 'PENDING' AND l.amount > 0
    ), legs AS (
      INSERT INTO transfer (id, group_id, kind, code, debit_account_id, credit_account_id, amount, booked_at)
      SELECT ledger_leg_id(to_hold, leg), to_hold, 'PENDING', 'USAGE', lot_id, redeemed_id, amount, greatest(at, open_since) FROM slice
    )
    UPDATE ledger_account a
       SET debits_pending = a.debits_pending + d.debit, credits_pending = a.credits_pending + d.credit
      FROM (SELECT account_id, sum(debit) AS debit, sum(credit) AS credit FROM (
              SELECT lot_id AS account_id, amount AS debit, 0 AS credit FROM slice
              UNION ALL SELECT redeemed_id, 0, amount FROM slice) AS side GROUP BY account_id) d
     WHERE a.id = d.account_id;
    RETURN carried;
  END $$;`;

/**
 * `stage`: the members of hold_resolution, `usage` as in metering_commit (none when nothing is charged), and `nextHoldId`
 * (none when the rest is to be free) → { code, charged, carried, fresh }. A repeat answers as the first time.
 */
const stage = `
  CREATE FUNCTION metering_stage(stage json) RETURNS json LANGUAGE plpgsql AS $$
  DECLARE
    i hold_resolution := json_populate_record(NULL::hold_resolution, stage);
    next_hold uuid := stage ->> 'nextHoldId';
    r record;
    carried bigint := 0;
  BEGIN
    PERFORM ledger_lock();
    SELECT * INTO r FROM ledger_resolve_holds(ARRAY[i]);
    IF r.fresh AND r.code = 'CAPTURED' THEN
      PERFORM metering_record(
        ARRAY[ROW(1, r.hold_id, r.startup_id, NULL, r.rate_card_id, r.held, r.charged, r.spread, i.accrual, i."providerId", r.period,
                  i.at)::settled_request],
        json_build_array(stage -> 'usage'));
      IF next_hold IS NOT NULL THEN carried := ledger_carry_hold(r.hold_id, next_hold, i.at); END IF;
    ELSIF r.code = 'CAPTURED' THEN
      carried := coalesce((SELECT h.amount_nano_credit FROM hold h WHERE h.id = next_hold), 0);
    END IF;
    RETURN json_build_object('code', r.code, 'charged', r.charged::text, 'carried', carried::text, 'fresh', r.fresh);
  END $$;`;

export const stageFunctions: string[] = [
  carry,
  stage,
  "REVOKE EXECUTE ON FUNCTION ledger_carry_hold(uuid, uuid, timestamptz), metering_stage(json) FROM PUBLIC",
];
