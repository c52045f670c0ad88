/** SQL of migration 0017: charging requests to a lease, and the one statement of the relay's group commit. */

const types = `
  CREATE TYPE capture_request AS (id uuid, "startupId" uuid, "leaseId" uuid, "rateCardId" uuid, held bigint, at timestamptz, charge bigint,
                                  accrual bigint, "providerId" uuid, period text);
  CREATE FUNCTION capture_requests(items capture_request[])
  RETURNS TABLE (id uuid, startup_id uuid, lease_id uuid, rate_card_id uuid, held bigint, at timestamptz, charge bigint, accrual bigint,
                 provider_id uuid, period text, ord bigint)
  LANGUAGE plpgsql ROWS 256 AS $$ BEGIN RETURN QUERY SELECT * FROM unnest(items) WITH ORDINALITY; END $$;`;

/**
 * Charges requests to leases → per item CAPTURED, LEASE_LOST (swept or returned: the process was too late) or LEASE_EXCEEDED
 * (more than the lease has, which no sound relay asks for), with charge and spread as booked. A repeat answers as the first
 * time: the usage record, which the caller writes in the same statement, is what says that it happened. The caller holds
 * the ledger's lock, so that a sweep comes before or after, never between.
 *
 * The charges of one lease laid end to end meet its lots laid end to end in draw order, as holds do; release, accrual and
 * spread are booked per slice as in ledger_resolve_holds.
 */
const capture = `
  CREATE FUNCTION ledger_capture(items capture_request[])
  RETURNS TABLE (ord bigint, id uuid, startup_id uuid, lease_id uuid, rate_card_id uuid, held bigint, code text, charged bigint, spread bigint,
                 accrual bigint, provider_id uuid, period text, at timestamptz, fresh boolean)
  LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
  #variable_conflict use_column
  DECLARE
    open_since timestamptz := ledger_books_open_since();
    first_open text := ledger_first_open_period();
  BEGIN
    PERFORM ledger_open_payables(array_agg(i.provider_id), array_agg(greatest(i.period, first_open)), array_agg(i.at))
       FROM capture_requests(items) i WHERE i.accrual > 0;

    RETURN QUERY
    WITH asked AS MATERIALIZED (
      SELECT i.*, u.id IS NOT NULL AS known, u.charge_nano_credit AS known_charge, u.spread_nano_usd AS known_spread,
             min(i.ord) OVER (PARTITION BY i.id) AS first_ord, least(i.charge, i.held) AS amount, l.state AS lease_state, l.startup_id AS lessee
        FROM capture_requests(items) i
        LEFT JOIN LATERAL (SELECT u.* FROM usage_record u WHERE u.id = i.id OFFSET 0) u ON true
        LEFT JOIN LATERAL (SELECT l.* FROM lease l WHERE l.id = i.lease_id OFFSET 0) l ON true
    ), source AS MATERIALIZED (
      SELECT s.lease_id, s.leased_account_id, a.multiplier_ppm, r.id AS redeemed_id, b.id AS backing_id,
             sum(s.balance_nano_credit) OVER w AS upto, sum(s.balance_nano_credit) OVER w - s.balance_nano_credit AS since,
             row_number() OVER w AS place
        FROM (SELECT DISTINCT lease_id FROM asked) d
       CROSS JOIN LATERAL (SELECT s.* FROM lease_slice s WHERE s.lease_id = d.lease_id AND s.balance_nano_credit > 0 OFFSET 0) s
       CROSS JOIN LATERAL (SELECT a.* FROM ledger_account a WHERE a.id = s.leased_account_id OFFSET 0) a
        LEFT JOIN ledger_account r ON r.kind = 'CREDIT_REDEEMED' AND r.facility_id = a.facility_id
        LEFT JOIN ledger_account b ON b.kind = 'FACILITY_BACKING' AND b.facility_id = a.facility_id
      WINDOW w AS (PARTITION BY s.lease_id ORDER BY a.priority, a.expires_at NULLS LAST, s.lot_account_id)
    ), room AS MATERIALIZED (
      SELECT lease_id, max(upto) AS room FROM source GROUP BY lease_id
    ), item AS MATERIALIZED (
      SELECT a.*, a.upto <= coalesce(r.room, 0) AND a.candidate AS fresh
        FROM (SELECT a.*, sum(CASE WHEN a.candidate THEN a.amount ELSE 0 END) OVER (PARTITION BY a.lease_id ORDER BY a.ord) AS upto
                FROM (SELECT a.*, NOT a.known AND a.ord = a.first_ord AND coalesce(a.lease_state = 'ACTIVE' AND a.lessee = a.startup_id, false) AS candidate
                        FROM asked a) a) a
        LEFT JOIN room r ON r.lease_id = a.lease_id
    ), payable AS MATERIALIZED (
      SELECT p.provider_id, p.asked_period, a.id
        FROM (SELECT DISTINCT provider_id, period AS asked_period, greatest(period, first_open) AS period FROM item WHERE accrual > 0) p
        JOIN ledger_account a ON a.kind = 'PROVIDER_PAYABLE' AND a.organisation_id = p.provider_id AND a.period = p.period
    ), slice AS MATERIALIZED (
      SELECT s.*, div(s.captured::numeric * 1000000, s.multiplier_ppm)::bigint AS release
        FROM (
          SELECT i.id AS request_id, greatest(i.at, open_since) AS at, i.provider_id, i.period, i.accrual, c.lease_id,
                 c.leased_account_id, c.multiplier_ppm, c.redeemed_id, c.backing_id,
                 (least(i.upto, c.upto) - greatest(i.upto - i.amount, c.since))::bigint AS captured,
                 row_number() OVER (PARTITION BY i.id ORDER BY c.place) AS leg
            FROM item i
            JOIN source c ON c.lease_id = i.lease_id AND c.since < i.upto AND c.upto > i.upto - i.amount
           WHERE i.fresh AND i.amount > 0) s
    ), shared AS MATERIALIZED (
      SELECT b.*, greatest(0, least(b.accrual, b.released_upto) - (b.released_upto - b.release))::bigint AS accrued,
             greatest(0, b.accrual - b.released)::bigint AS shortfall, p.id AS payable_id,
             (SELECT id FROM ledger_account WHERE name = 'revenue:spread') AS revenue_id
        FROM (
          SELECT s.*, sum(s.release) OVER w AS released_upto, sum(s.release) OVER (PARTITION BY s.request_id) AS released
            FROM slice s
          WINDOW w AS (PARTITION BY s.request_id ORDER BY s.leg)) b
        LEFT JOIN payable p ON p.provider_id = b.provider_id AND p.asked_period = b.period
    ), paid AS MATERIALIZED (
      SELECT request_id, at, 'USAGE' AS code, leg, leased_account_id AS debit, redeemed_id AS credit, captured AS amount FROM shared
      UNION ALL
      SELECT request_id, at, 'ACCRUAL', 512 + leg, backing_id, payable_id, accrued FROM shared WHERE accrued > 0
      UNION ALL
      SELECT request_id, at, 'SPREAD', 768 + leg, backing_id, revenue_id, release - accrued FROM shared WHERE release > accrued
      UNION ALL
      SELECT request_id, at, 'SHORTFALL', 1024 + leg, revenue_id, payable_id, shortfall FROM shared WHERE shortfall > 0 AND leg = 1
    ), legs AS (
      INSERT INTO transfer (id, group_id, kind, code, debit_account_id, credit_account_id, amount, booked_at)
      SELECT ledger_leg_id(request_id, leg), request_id, 'POSTED', code, debit, credit, amount, at FROM paid
    ), moved AS (
      UPDATE ledger_account a
         SET debits_posted = a.debits_posted + d.debit, credits_posted = a.credits_posted + d.credit
        FROM (SELECT account_id, sum(debit) AS debit, sum(credit) AS credit FROM (
                SELECT debit AS account_id, amount AS debit, 0 AS credit FROM paid
                UNION ALL SELECT credit, 0, amount FROM paid) AS side GROUP BY account_id) d
       WHERE a.id = d.account_id
    ), cut AS (
      UPDATE lease_slice s SET balance_nano_credit = s.balance_nano_credit - c.captured
        FROM (SELECT lease_id, leased_account_id, sum(captured) AS captured FROM shared GROUP BY lease_id, leased_account_id) c
       WHERE s.lease_id = c.lease_id AND s.leased_account_id = c.leased_account_id
    ), share AS MATERIALIZED (
      SELECT request_id, (sum(release - accrued) - min(shortfall))::bigint AS spread FROM shared GROUP BY request_id
    )
    SELECT i.ord, i.id, i.startup_id, i.lease_id, i.rate_card_id, i.held,
           CASE WHEN i.known OR f.fresh THEN 'CAPTURED' WHEN i.lease_state = 'ACTIVE' AND i.lessee = i.startup_id THEN 'LEASE_EXCEEDED' ELSE 'LEASE_LOST' END,
           CASE WHEN i.known THEN i.known_charge WHEN f.fresh THEN f.amount ELSE 0 END,
           CASE WHEN i.known THEN i.known_spread WHEN f.fresh THEN coalesce(s.spread, 0) ELSE 0 END,
           -- A charge of nothing has no slice to pay out of, and earns nothing.
           CASE WHEN i.amount > 0 THEN i.accrual ELSE 0 END,
           i.provider_id, greatest(i.period, first_open), i.at, i.fresh
      FROM item i JOIN item f ON f.ord = i.first_ord LEFT JOIN share s ON s.request_id = i.id
     ORDER BY i.ord;
  END $$;`;

/**
 * `batch`: { resolutions, captures, usages, returns, grants, holds }, arrays of objects whose members are those of the types
 * hold_resolution, capture_request, hold_request and of the functions called; `usages`: one object per capture, whose `ord`
 * counts the resolutions from 1 and then the captures. What frees credit comes first, so that what needs credit finds it.
 * Answers an array per kind, each in order.
 */
const commit = `
  CREATE FUNCTION metering_commit(batch json) RETURNS json LANGUAGE plpgsql AS $$
  DECLARE
    b record;
    resolution_items hold_resolution[];
    capture_items capture_request[];
    hold_items hold_request[];
    settled settled_request[];
    resolved json := '[]';
    captured json := '[]';
    returned json := '[]';
    granted json := '[]';
    placed json := '[]';
  BEGIN
    -- One pass over the text: reading a member out of a json value parses the whole value again each time.
    SELECT * INTO b FROM json_to_record(batch) AS r(resolutions json, captures json, usages json, returns json, grants json, holds json);
    resolution_items := ARRAY(SELECT json_populate_recordset(NULL::hold_resolution, coalesce(b.resolutions, '[]')));
    capture_items := ARRAY(SELECT json_populate_recordset(NULL::capture_request, coalesce(b.captures, '[]')));
    hold_items := ARRAY(SELECT json_populate_recordset(NULL::hold_request, coalesce(b.holds, '[]')));
    PERFORM ledger_lock();
    IF cardinality(resolution_items) > 0 THEN
      SELECT json_agg(json_build_object('code', r.code, 'charged', r.charged::text, 'spread', r.spread::text, 'fresh', r.fresh) ORDER BY r.ord),
             array_agg(ROW(r.ord, r.hold_id, r.startup_id, NULL, r.rate_card_id, r.held, r.charged, r.spread, i.accrual, i.provider_id, r.period,
                           i.at)::settled_request) FILTER (WHERE r.fresh AND r.code = 'CAPTURED')
        INTO resolved, settled
        FROM ledger_resolve_holds(resolution_items) r JOIN hold_resolutions(resolution_items) i ON i.ord = r.ord;
      PERFORM metering_record(settled, b.usages);
    END IF;
    IF cardinality(capture_items) > 0 THEN
      SELECT json_agg(json_build_object('code', c.code, 'charged', c.charged::text, 'spread', c.spread::text, 'fresh', c.fresh) ORDER BY c.ord),
             array_agg(ROW(cardinality(resolution_items) + c.ord, c.id, c.startup_id, c.lease_id, c.rate_card_id, c.held, c.charged, c.spread,
                           c.accrual, c.provider_id, c.period, c.at)::settled_request) FILTER (WHERE c.fresh)
        INTO captured, settled
        FROM ledger_capture(capture_items) c;
      PERFORM metering_record(settled, b.usages);
    END IF;
    IF json_array_length(coalesce(b.returns, '[]')) + json_array_length(coalesce(b.grants, '[]')) > 0 THEN
      -- In the order in which beats and recalls lock them.
      PERFORM 1 FROM lease l
        WHERE l.id IN (SELECT r."leaseId" FROM json_to_recordset(b.returns) AS r("leaseId" uuid)
                       UNION SELECT g."leaseId" FROM json_to_recordset(b.grants) AS g("leaseId" uuid))
        ORDER BY l.id FOR UPDATE;
    END IF;
    IF json_array_length(coalesce(b.returns, '[]')) > 0 THEN
      SELECT json_agg(json_build_object('code', ledger_return_lease(r.id, r."leaseId", r.amount, r.acknowledges, r.close, r.at)))
        INTO returned
        FROM json_to_recordset(b.returns) AS r(id uuid, "leaseId" uuid, amount bigint, acknowledges integer, close boolean, at timestamptz);
    END IF;
    IF json_array_length(coalesce(b.grants, '[]')) > 0 THEN
      SELECT json_agg(json_build_object('code', g.code, 'granted', g.granted::text, 'available', g.available::text, 'usableUntil', g.usable_until))
        INTO granted
        FROM json_to_recordset(b.grants) AS r(id uuid, "leaseId" uuid, "startupId" uuid, instance uuid, accelerators text[], workload text,
             amount bigint, "sharePpm" bigint, minimum bigint, "ttlMs" integer, at timestamptz),
             LATERAL ledger_grant_lease(r.id, r."leaseId", r."startupId", r.instance, r.accelerators, r.workload, r.amount, r."sharePpm",
                                        r.minimum, r."ttlMs", r.at) g;
    END IF;
    IF cardinality(hold_items) > 0 THEN
      SELECT json_agg(json_build_object('code', p.code, 'available', p.available::text, 'leased', p.leased::text) ORDER BY p.ord)
        INTO placed FROM ledger_place_holds(hold_items) p;
    END IF;
    RETURN json_build_object('resolutions', resolved, 'captures', captured, 'returns', returned, 'grants', granted, 'holds', placed);
  END $$;`;

/**
 * The usage records of what was just charged, in the commit that charges it. The card is that of whoever delivered: the hold was
 * reckoned with that of whoever was to.
 */
const record = `
  CREATE TYPE settled_request AS (ord bigint, id uuid, startup_id uuid, lease_id uuid, rate_card_id uuid, held bigint, charged bigint,
                                  spread bigint, accrual bigint, provider_id uuid, period text, at timestamptz);
  CREATE FUNCTION metering_record(items settled_request[], usages json) RETURNS void
  LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
  #variable_conflict use_column
  BEGIN
    INSERT INTO usage_record (id, startup_id, api_key_id, provider_id, endpoint_id, offering_id, fixing_id, rate_card_id, lease_id, model,
        workload, segment, accelerator, region, period, outcome, prompt_tokens, completion_tokens, usage_bounded, claimed_prompt_tokens,
        claimed_completion_tokens, gpu_nanos, held_nano_credit, charge_nano_credit, accrual_nano_usd, spread_nano_usd, accrual_share_ppm,
        attempts, streamed, ttft_ms, duration_ms, completed_at)
    SELECT s.id, s.startup_id, u."apiKeyId", s.provider_id, u."endpointId", u."offeringId", u."fixingId", coalesce(u."rateCardId", s.rate_card_id),
           s.lease_id, u.model,
           coalesce(u.workload, 'INFERENCE'), coalesce((SELECT o.segment FROM organisation o WHERE o.id = s.startup_id), 'UNSPECIFIED'),
           u.accelerator, u.region, s.period, u.outcome, u."promptTokens", u."completionTokens", u."usageBounded", u."claimedPromptTokens",
           u."claimedCompletionTokens", u."gpuNanos", s.held, s.charged, s.accrual, s.spread, u."accrualSharePpm",
           u.attempts, u.streamed, u."ttftMs", u."durationMs", s.at
      FROM unnest(items) s
      LEFT JOIN json_to_recordset(usages) AS u(ord bigint,
           "apiKeyId" uuid, "endpointId" uuid, "offeringId" uuid, "fixingId" uuid, "rateCardId" uuid, model text, workload text, accelerator text, region text,
           outcome text, "promptTokens" integer, "completionTokens" integer, "usageBounded" boolean, "claimedPromptTokens" bigint,
           "claimedCompletionTokens" bigint, "gpuNanos" bigint, "accrualSharePpm" bigint, attempts integer, streamed boolean,
           "ttftMs" integer, "durationMs" integer) ON u.ord = s.ord;
  END $$;`;

export const settlementFunctions: string[] = [
  types,
  capture,
  record,
  commit,
  `REVOKE EXECUTE ON FUNCTION ledger_capture(capture_request[]), metering_record(settled_request[], json), metering_commit(json) FROM PUBLIC`,
];
