/** SQL of migration 0017: setting credit aside for requests, lots in their draw order, and resolving it. */

/**
 * What a startup's next hold or lease can draw on, in draw order: priority, then what expires first, then the oldest. A lot
 * kept for some accelerators serves only a request that can end at none but those. At most 255 lots at once, because a
 * leg's number within its request has so much room: the lots behind them come into reach when these are spent.
 */
const openLots = `
  CREATE FUNCTION ledger_open_lots(startup uuid, wanted_accelerators text[], wanted_workload text, at timestamptz)
  RETURNS TABLE (id uuid, facility_id uuid, lot_id uuid, free bigint, place bigint) LANGUAGE sql STABLE ROWS 4 AS $$
    SELECT l.*, row_number() OVER () FROM (
      SELECT a.id, a.facility_id, a.lot_id, a.credits_posted - a.debits_posted - a.debits_pending AS free
        FROM ledger_account a
       WHERE a.kind = 'WALLET_LOT' AND a.organisation_id = startup AND a.credits_posted - a.debits_posted - a.debits_pending > 0
         AND a.frozen = 0 AND (a.expires_at IS NULL OR a.expires_at > at)
         AND (a.accelerators IS NULL OR wanted_accelerators <@ a.accelerators)
         AND (a.workloads IS NULL OR wanted_workload = ANY (a.workloads))
       ORDER BY a.priority, a.expires_at NULLS LAST, a.id LIMIT 255) l;
  $$;
  CREATE FUNCTION ledger_leased_to_relays(startup uuid) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(a.credits_posted - a.debits_posted), 0)::bigint FROM ledger_account a WHERE a.kind = 'LEASED' AND a.organisation_id = startup
  $$;
  CREATE FUNCTION hold_requests(items hold_request[])
  RETURNS TABLE (id uuid, startup_id uuid, amount bigint, rate_card_id uuid, placed_at timestamptz, expires_at timestamptz,
                 accelerators text[], workload text, ord bigint)
  LANGUAGE plpgsql ROWS 256 AS $$ BEGIN RETURN QUERY SELECT * FROM unnest(items) WITH ORDINALITY; END $$;`;

/**
 * Sets credit aside → one code per item, in order: HELD, INSUFFICIENT_CREDITS (with what was available at its turn, and
 * what of the startup's credit is leased to relays), HOLD_ID_REUSED. A repeat of the same hold answers HELD again. The
 * caller holds the ledger's lock; all items of one startup have one purpose, so that they see the same lots.
 *
 * Result as if the items came one by one: where everything that a startup asks for fits, all is granted at once; where
 * it does not, that startup's items are decided in order. Slices come from the overlap of two number lines: the granted
 * amounts laid end to end, and the lots laid end to end in their draw order. An id that comes twice in one batch is
 * decided by its first item. Outer joins to accounts: one that is missing has to fail, not drop a slice.
 */
const placeSame = `
  CREATE FUNCTION ledger_place_same(items hold_request[])
  RETURNS TABLE (ord bigint, code text, available bigint, leased bigint)
  LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
  #variable_conflict use_column
  DECLARE
    refused_ords bigint[] := '{}';
    refused_rooms bigint[] := '{}';
    short record;
    one record;
    room numeric;
    open_since timestamptz := ledger_books_open_since();
  BEGIN
    FOR short IN
      SELECT a.startup_id, f.free
        FROM (SELECT i.startup_id, i.accelerators, i.workload, max(i.placed_at) AS at, sum(i.amount) AS asked
                FROM hold_requests(items) i GROUP BY i.startup_id, i.accelerators, i.workload) a,
             LATERAL (SELECT coalesce(sum(l.free), 0) AS free FROM ledger_open_lots(a.startup_id, a.accelerators, a.workload, a.at) l) f
       WHERE a.asked > f.free
    LOOP
      room := short.free;
      FOR one IN
        SELECT i.ord, i.amount
          FROM hold_requests(items) i
         WHERE i.startup_id = short.startup_id
           AND NOT EXISTS (SELECT 1 FROM hold h WHERE h.id = i.id)
           AND NOT EXISTS (SELECT 1 FROM hold_requests(items) e WHERE e.id = i.id AND e.ord < i.ord)
         ORDER BY i.ord
      LOOP
        IF one.amount <= room THEN room := room - one.amount;
        ELSE
          refused_ords := refused_ords || one.ord;
          refused_rooms := refused_rooms || room::bigint;
        END IF;
      END LOOP;
    END LOOP;

    RETURN QUERY
    WITH item AS MATERIALIZED (
      SELECT i.*, h.id AS known_id, h.startup_id AS known_startup, h.amount_nano_credit AS known_amount, r.room,
             min(i.ord) OVER (PARTITION BY i.id) AS first_ord,
             h.id IS NULL AND r.ord IS NULL AND i.ord = min(i.ord) OVER (PARTITION BY i.id) AS granted
        FROM hold_requests(items) i
        LEFT JOIN LATERAL (SELECT h.* FROM hold h WHERE h.id = i.id OFFSET 0) h ON true
        LEFT JOIN unnest(refused_ords, refused_rooms) AS r(ord, room) ON r.ord = i.ord
    ), granted AS MATERIALIZED (
      SELECT i.*, sum(i.amount) OVER w AS upto, sum(i.amount) OVER w - i.amount AS since
        FROM item i WHERE i.granted
      WINDOW w AS (PARTITION BY i.startup_id ORDER BY i.ord)
    ), lot AS MATERIALIZED (
      SELECT l.id, l.place, s.startup_id, r.id AS redeemed_id, sum(l.free) OVER w AS upto, sum(l.free) OVER w - l.free AS since
        FROM (SELECT startup_id, accelerators, workload, max(placed_at) AS at FROM granted GROUP BY startup_id, accelerators, workload) s
       CROSS JOIN LATERAL ledger_open_lots(s.startup_id, s.accelerators, s.workload, s.at) l
        LEFT JOIN ledger_account r ON r.kind = 'CREDIT_REDEEMED' AND r.facility_id = l.facility_id
      WINDOW w AS (PARTITION BY s.startup_id ORDER BY l.place)
    ), slice AS MATERIALIZED (
      SELECT g.id AS hold_id, g.placed_at, l.id AS lot_id, l.redeemed_id,
             (least(g.upto, l.upto) - greatest(g.since, l.since))::bigint AS amount,
             row_number() OVER (PARTITION BY g.id ORDER BY l.place) AS leg
        FROM granted g
        JOIN lot l ON l.startup_id = g.startup_id AND l.since < g.upto AND l.upto > g.since
    ), placed AS (
      INSERT INTO hold (id, startup_id, amount_nano_credit, rate_card_id, state, placed_at, expires_at)
      SELECT id, startup_id, amount, rate_card_id, 'HELD', placed_at, expires_at FROM granted
    ), legs AS (
      INSERT INTO transfer (id, group_id, kind, code, debit_account_id, credit_account_id, amount, booked_at)
      SELECT ledger_leg_id(hold_id, leg), hold_id, 'PENDING', 'USAGE', lot_id, redeemed_id, amount,
             greatest(placed_at, open_since) FROM slice
    ), moved AS (
      UPDATE ledger_account a
         SET debits_pending = a.debits_pending + d.debit, credits_pending = a.credits_pending + d.credit
        FROM (SELECT account_id, sum(debit) AS debit, sum(credit) AS credit FROM (
                SELECT lot_id AS account_id, amount AS debit, 0 AS credit FROM slice
                UNION ALL SELECT redeemed_id, 0, amount FROM slice) AS side GROUP BY account_id) d
       WHERE a.id = d.account_id
    )
    SELECT i.ord,
           CASE WHEN i.granted THEN 'HELD'
                WHEN coalesce(i.known_startup, f.startup_id) <> i.startup_id OR coalesce(i.known_amount, f.amount) <> i.amount THEN 'HOLD_ID_REUSED'
                WHEN i.known_id IS NOT NULL OR f.granted THEN 'HELD'
                ELSE 'INSUFFICIENT_CREDITS' END,
           coalesce(i.room, f.room),
           CASE WHEN coalesce(i.room, f.room) IS NOT NULL THEN ledger_leased_to_relays(i.startup_id) END
      FROM item i JOIN item f ON f.ord = i.first_ord
     ORDER BY i.ord;
  END $$;`;

/** A startup's requests of several purposes see several sets of lots: then one purpose after the other, in the order in which they came. */
const placeHolds = `
  CREATE FUNCTION ledger_place_holds(items hold_request[])
  RETURNS TABLE (ord bigint, code text, available bigint, leased bigint) LANGUAGE plpgsql AS $$
  #variable_conflict use_column
  DECLARE
    turn record;
  BEGIN
    IF NOT EXISTS (SELECT FROM hold_requests(items) i GROUP BY i.startup_id
                   HAVING count(DISTINCT coalesce(array_to_string(i.accelerators, ','), '*') || '|' || coalesce(i.workload, '*')) > 1) THEN
      RETURN QUERY SELECT * FROM ledger_place_same(items);
      RETURN;
    END IF;
    FOR turn IN
      SELECT array_agg(t.ord ORDER BY t.ord) AS ords
        FROM (SELECT f.ord, dense_rank() OVER (PARTITION BY f.startup_id ORDER BY f.first_ord) AS nr
                FROM (SELECT i.ord, i.startup_id, min(i.ord) OVER (PARTITION BY i.startup_id, i.accelerators, i.workload) AS first_ord
                        FROM hold_requests(items) i) f) t
       GROUP BY t.nr ORDER BY t.nr
    LOOP
      RETURN QUERY SELECT turn.ords[p.ord], p.code, p.available, p.leased
                     FROM ledger_place_same(ARRAY(SELECT items[o] FROM unnest(turn.ords) WITH ORDINALITY AS u(o, nr) ORDER BY u.nr)) p;
    END LOOP;
  END $$;`;

/** The month's payables that a batch will credit. Under the ledger's lock, so that two batches do not open one twice. */
const payables = `
  CREATE FUNCTION ledger_open_payables(provider_ids uuid[], periods text[], at timestamptz[]) RETURNS void
  LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
  #variable_conflict use_column
  BEGIN
    INSERT INTO ledger_account (id, name, ledger, kind, organisation_id, period, limited, created_at)
    SELECT gen_random_uuid(), 'payable:' || i.provider_id || ':' || i.period, 'USD', 'PROVIDER_PAYABLE', i.provider_id, i.period, true, i.at
      FROM (SELECT u.provider_id, u.period, min(u.at) AS at FROM unnest(provider_ids, periods, at) AS u(provider_id, period, at) GROUP BY 1, 2) i
     WHERE NOT EXISTS (
             SELECT 1 FROM ledger_account a WHERE a.kind = 'PROVIDER_PAYABLE' AND a.organisation_id = i.provider_id AND a.period = i.period)
    ON CONFLICT (name) DO NOTHING;
  END $$;`;

/**
 * Resolves holds → per item the resolution, or HOLD_NOT_FOUND, HOLD_NOT_OPEN; with the charge and the spread as booked, the
 * month that it was booked into, and whether it was this call that booked them. A repeat answers as the first time. The
 * caller holds the ledger's lock.
 *
 * Per slice of the hold: what is captured is posted, the rest is free again; the lot's cost basis turns it into released
 * backing (rounded down: a facility never releases more than was funded); the release pays the provider's accrual first
 * and the rest is spread. An accrual beyond the release is paid out of spread, never by the wallet.
 */
const resolveHolds = `
  CREATE FUNCTION ledger_resolve_holds(items hold_resolution[])
  RETURNS TABLE (ord bigint, hold_id uuid, startup_id uuid, rate_card_id uuid, held bigint, code text, charged bigint, spread bigint,
                 period text, fresh boolean)
  LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
  #variable_conflict use_column
  DECLARE
    open_since timestamptz := ledger_books_open_since();
    first_open text := ledger_first_open_period();
  BEGIN
    PERFORM ledger_open_payables(array_agg(i.provider_id), array_agg(greatest(i.period, first_open)), array_agg(i.at))
       FROM hold_resolutions(items) i WHERE i.accrual > 0;

    RETURN QUERY
    WITH item AS MATERIALIZED (
      SELECT i.ord, h.id AS hold_id, h.startup_id, h.rate_card_id, i.resolution, i.at, i.provider_id, greatest(i.period, first_open) AS period,
             CASE i.resolution WHEN 'CAPTURED' THEN least(coalesce(i.charge, 0), h.amount_nano_credit) ELSE 0 END AS charge,
             CASE i.resolution WHEN 'CAPTURED' THEN coalesce(i.accrual, 0) ELSE 0 END AS accrual,
             h.state, h.amount_nano_credit, h.captured_nano_credit, min(i.ord) OVER (PARTITION BY i.hold_id) AS first_ord,
             -- The sweep and a settlement of the same hold may meet in one batch: the first counts, the other comes too late.
             coalesce(h.state = 'HELD', false) AND i.ord = min(i.ord) OVER (PARTITION BY i.hold_id) AS fresh
        FROM hold_resolutions(items) i
        LEFT JOIN LATERAL (SELECT h.* FROM hold h WHERE h.id = i.hold_id OFFSET 0) h ON true
    ), payable AS MATERIALIZED (
      SELECT p.provider_id, p.period, a.id
        FROM (SELECT DISTINCT provider_id, period FROM item WHERE accrual > 0) p
        JOIN ledger_account a ON a.kind = 'PROVIDER_PAYABLE' AND a.organisation_id = p.provider_id AND a.period = p.period
    ), slice AS MATERIALIZED (
      SELECT s.*, div(s.captured::numeric * 1000000, s.multiplier_ppm)::bigint AS release
        FROM (
          SELECT i.hold_id, greatest(i.at, open_since) AS at, i.provider_id, i.period, i.accrual, t.id AS pending_id,
                 t.debit_account_id AS lot_id,
                 t.credit_account_id AS redeemed_id, t.amount AS held, lot.multiplier_ppm, b.id AS backing_id, row_number() OVER w AS leg,
                 greatest(0, least(i.charge - (sum(t.amount) OVER w - t.amount), t.amount))::bigint AS captured
            FROM item i
           CROSS JOIN LATERAL (SELECT t.* FROM transfer t WHERE t.group_id = i.hold_id AND t.kind = 'PENDING' OFFSET 0) t
            LEFT JOIN ledger_account lot ON lot.id = t.debit_account_id
            LEFT JOIN ledger_account b ON b.kind = 'FACILITY_BACKING' AND b.facility_id = lot.facility_id
           WHERE i.fresh
          WINDOW w AS (PARTITION BY i.hold_id ORDER BY t.id)) s
    ), shared AS MATERIALIZED (
      SELECT b.*, greatest(0, least(b.accrual, b.released_upto) - (b.released_upto - b.release))::bigint AS accrued,
             greatest(0, b.accrual - b.released)::bigint AS shortfall, p.id AS payable_id,
             (SELECT id FROM ledger_account WHERE name = 'revenue:spread') AS revenue_id
        FROM (
          SELECT s.*, sum(s.release) OVER w AS released_upto, sum(s.release) OVER (PARTITION BY s.hold_id) AS released
            FROM slice s
          WINDOW w AS (PARTITION BY s.hold_id ORDER BY s.leg)) b
        LEFT JOIN payable p ON p.provider_id = b.provider_id AND p.period = b.period
    ), paid AS MATERIALIZED (
      SELECT hold_id, at, 'ACCRUAL' AS code, 512 + leg AS leg, backing_id AS debit, payable_id AS credit, accrued AS amount FROM shared WHERE accrued > 0
      UNION ALL
      SELECT hold_id, at, 'SPREAD', 768 + leg, backing_id, revenue_id, release - accrued FROM shared WHERE release > accrued
      UNION ALL
      SELECT hold_id, at, 'SHORTFALL', 1024 + leg, revenue_id, payable_id, shortfall FROM shared WHERE shortfall > 0 AND leg = 1
    ), legs AS (
      INSERT INTO transfer (id, group_id, kind, code, debit_account_id, credit_account_id, amount, pending_id, booked_at)
      SELECT ledger_leg_id(hold_id, 256 + leg), hold_id, CASE WHEN captured > 0 THEN 'POST' ELSE 'VOID' END, 'USAGE', lot_id, redeemed_id,
             CASE WHEN captured > 0 THEN captured ELSE held END, pending_id, at FROM shared
      UNION ALL
      SELECT ledger_leg_id(hold_id, leg), hold_id, 'POSTED', code, debit, credit, amount, NULL, at FROM paid
    ), moved AS (
      UPDATE ledger_account a
         SET debits_pending = a.debits_pending - d.debit_released, debits_posted = a.debits_posted + d.debit,
             credits_pending = a.credits_pending - d.credit_released, credits_posted = a.credits_posted + d.credit
        FROM (SELECT account_id, sum(debit_released) AS debit_released, sum(debit) AS debit, sum(credit_released) AS credit_released, sum(credit) AS credit
                FROM (
                  SELECT lot_id AS account_id, held AS debit_released, captured AS debit, 0 AS credit_released, 0 AS credit FROM shared
                  UNION ALL SELECT redeemed_id, 0, 0, held, captured FROM shared
                  UNION ALL SELECT debit, 0, amount, 0, 0 FROM paid
                  UNION ALL SELECT credit, 0, 0, 0, amount FROM paid
                ) AS side GROUP BY account_id) d
       WHERE a.id = d.account_id
    ), closed AS (
      UPDATE hold h SET state = i.resolution, captured_nano_credit = i.charge, resolved_at = i.at
        FROM item i WHERE h.id = i.hold_id AND h.id = ANY (ARRAY(SELECT hold_id FROM item WHERE fresh)) AND i.fresh
    ), share AS MATERIALIZED (
      SELECT hold_id, (sum(release - accrued) - min(shortfall))::bigint AS spread FROM shared GROUP BY hold_id
    )
    SELECT i.ord, i.hold_id, i.startup_id, i.rate_card_id, i.amount_nano_credit,
           CASE WHEN i.hold_id IS NULL THEN 'HOLD_NOT_FOUND'
                WHEN i.resolution = CASE WHEN f.fresh THEN f.resolution ELSE i.state END THEN i.resolution
                ELSE 'HOLD_NOT_OPEN' END,
           CASE WHEN i.hold_id IS NULL THEN 0 WHEN f.fresh THEN f.charge ELSE i.captured_nano_credit END,
           CASE WHEN f.fresh THEN coalesce(s.spread, 0)
                ELSE coalesce((SELECT sum(CASE t.code WHEN 'SPREAD' THEN t.amount ELSE -t.amount END) FROM transfer t
                                WHERE t.group_id = i.hold_id AND t.code IN ('SPREAD', 'SHORTFALL')), 0)::bigint END,
           i.period,
           i.fresh
      FROM item i JOIN item f ON f.ord = i.first_ord LEFT JOIN share s ON s.hold_id = i.hold_id
     ORDER BY i.ord;
  END $$;`;

export const holdFunctions: string[] = [
  openLots,
  placeSame,
  placeHolds,
  payables,
  resolveHolds,
  `REVOKE EXECUTE ON FUNCTION ledger_open_lots(uuid, text[], text, timestamptz), ledger_leased_to_relays(uuid), ledger_place_same(hold_request[]),
     ledger_place_holds(hold_request[]), ledger_open_payables(uuid[], text[], timestamptz[]), ledger_resolve_holds(hold_resolution[]) FROM PUBLIC`,
];
