/** SQL of migration 0017: charging requests to a lease, whatever of it is left and of which lots. */

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

/** What metering_record takes. */
const settled = `
  CREATE TYPE settled_request AS (ord bigint, id uuid, startup_id uuid, lease_id uuid, rate_card_id uuid, held bigint, charged bigint,
                                  spread bigint, accrual bigint, provider_id uuid, period text, at timestamptz);`;

export const settlementFunctions: string[] = [
  types,
  capture,
  settled,
  "REVOKE EXECUTE ON FUNCTION ledger_capture(capture_request[]) FROM PUBLIC",
];
