/** The ledger's SQL functions: the only code that writes balances, each working on a whole batch at once. */
import type { MigrationInterface, QueryRunner } from "typeorm";

/**
 * One writer at a time, for the length of one group commit. Two uncoordinated writers that lock the same hot accounts
 * row by row were measured at 40 % of one writer's throughput, and could wait for each other in a circle.
 */
const lock = `
  CREATE FUNCTION ledger_lock() RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtext('exergy.ledger'));
  $$;`;

/**
 * Ids of a request's transfers are made from the request's own UUIDv7, whose last three hex digits the caller leaves
 * zero. A write that is repeated after a lost COMMIT reply makes the same ids and meets the primary key.
 */
const legId = `
  CREATE FUNCTION ledger_leg_id(request_id uuid, leg bigint) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (substr(request_id::text, 1, 33) || lpad(to_hex(leg), 3, '0'))::uuid;
  $$;`;

/**
 * Batches are parsed from JSON once, into arrays of these: reading a member out of a json value parses the whole value
 * again each time, which was two thirds of a commit. Plans are kept per connection, and one made while a table is small
 * would go on to scan it whole when it is not: hence no sequential scans in the functions, and look-ups behind OFFSET 0,
 * which the planner can only do by index. The reader says ROWS 256, or the planner would expect ten items,
 * join everything by nested loops and go quadratic. Names in camel case are JSON members.
 */
const types = `
  CREATE TYPE hold_request AS (id uuid, "startupId" uuid, amount bigint, "rateCardId" uuid, "placedAt" timestamptz, "expiresAt" timestamptz);
  CREATE TYPE hold_resolution AS ("holdId" uuid, resolution text, at timestamptz, charge bigint, accrual bigint, "providerId" uuid, period text);
  CREATE FUNCTION hold_requests(items hold_request[])
  RETURNS TABLE (id uuid, startup_id uuid, amount bigint, rate_card_id uuid, placed_at timestamptz, expires_at timestamptz, ord bigint)
  LANGUAGE plpgsql ROWS 256 AS $$ BEGIN RETURN QUERY SELECT * FROM unnest(items) WITH ORDINALITY; END $$;
  CREATE FUNCTION hold_resolutions(items hold_resolution[])
  RETURNS TABLE (hold_id uuid, resolution text, at timestamptz, charge bigint, accrual bigint, provider_id uuid, period text, ord bigint)
  LANGUAGE plpgsql ROWS 256 AS $$ BEGIN RETURN QUERY SELECT * FROM unnest(items) WITH ORDINALITY; END $$;`;

/**
 * What a startup's next hold can draw on, oldest lot first. At most 255 lots at once, because a leg's number within its
 * request has so much room: the lots behind them come into reach when these are spent.
 */
const openLots = `
  CREATE FUNCTION ledger_open_lots(startup uuid)
  RETURNS TABLE (id uuid, facility_id uuid, free bigint) LANGUAGE sql STABLE ROWS 4 AS $$
    SELECT a.id, a.facility_id, a.credits_posted - a.debits_posted - a.debits_pending
      FROM ledger_account a
     WHERE a.kind = 'WALLET_LOT' AND a.organisation_id = startup AND a.credits_posted - a.debits_posted - a.debits_pending > 0
     ORDER BY a.id LIMIT 255;
  $$;`;

/** Plain posted transfers: [{id, groupId, code, debit, credit, amount, bookedAt}]. All or nothing. */
const post = `
  CREATE FUNCTION ledger_post(items json) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM ledger_lock();
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

/**
 * Sets credit aside → one code per item, in order: HELD, INSUFFICIENT_CREDITS (with what was available at its turn),
 * HOLD_ID_REUSED. A repeat of the same hold answers HELD again. The caller holds the ledger's lock.
 *
 * Result as if the items came one by one: where everything that a startup asks for fits, all is granted at once; where
 * it does not, that startup's items are decided in order. Slices come from the overlap of two number lines: the granted
 * amounts laid end to end, and the lots laid end to end in their draw order (oldest first). An id that comes twice in
 * one batch is decided by its first item. Outer joins to accounts: one that is missing has to fail, not drop a slice.
 */
const placeHolds = `
  CREATE FUNCTION ledger_place_holds(items hold_request[])
  RETURNS TABLE (ord bigint, code text, available bigint) LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
  #variable_conflict use_column
  DECLARE
    refused_ords bigint[] := '{}';
    refused_rooms bigint[] := '{}';
    short record;
    one record;
    room numeric;
  BEGIN
    FOR short IN
      SELECT a.startup_id, f.free
        FROM (SELECT i.startup_id, sum(i.amount) AS asked FROM hold_requests(items) i GROUP BY i.startup_id) a,
             LATERAL (SELECT coalesce(sum(l.free), 0) AS free FROM ledger_open_lots(a.startup_id) l) f
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
      SELECT l.id, l.facility_id, s.startup_id, r.id AS redeemed_id, sum(l.free) OVER w AS upto, sum(l.free) OVER w - l.free AS since
        FROM (SELECT DISTINCT startup_id FROM granted) s
       CROSS JOIN LATERAL ledger_open_lots(s.startup_id) l
        LEFT JOIN ledger_account r ON r.kind = 'CREDIT_REDEEMED' AND r.facility_id = l.facility_id
      WINDOW w AS (PARTITION BY s.startup_id ORDER BY l.id)
    ), slice AS MATERIALIZED (
      SELECT g.id AS hold_id, g.placed_at, l.id AS lot_id, l.redeemed_id,
             (least(g.upto, l.upto) - greatest(g.since, l.since))::bigint AS amount,
             row_number() OVER (PARTITION BY g.id ORDER BY l.id) AS leg
        FROM granted g
        JOIN lot l ON l.startup_id = g.startup_id AND l.since < g.upto AND l.upto > g.since
    ), placed AS (
      INSERT INTO hold (id, startup_id, amount_nano_credit, rate_card_id, state, placed_at, expires_at)
      SELECT id, startup_id, amount, rate_card_id, 'HELD', placed_at, expires_at FROM granted
    ), legs AS (
      INSERT INTO transfer (id, group_id, kind, code, debit_account_id, credit_account_id, amount, booked_at)
      SELECT ledger_leg_id(hold_id, leg), hold_id, 'PENDING', 'USAGE', lot_id, redeemed_id, amount, placed_at FROM slice
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
           coalesce(i.room, f.room)
      FROM item i JOIN item f ON f.ord = i.first_ord
     ORDER BY i.ord;
  END $$;`;

/**
 * Resolves holds → per item the resolution, or HOLD_NOT_FOUND, HOLD_NOT_OPEN; with the charge and the spread as booked,
 * and whether it was this call that booked them. A repeat answers as the first time. The caller holds the ledger's lock.
 *
 * Per slice of the hold: what is captured is posted, the rest is free again; the lot's cost basis turns it into released
 * backing (rounded down: a facility never releases more than was funded); the release pays the provider's accrual first
 * and the rest is spread. An accrual beyond the release is paid out of spread, never by the wallet.
 */
const resolveHolds = `
  CREATE FUNCTION ledger_resolve_holds(items hold_resolution[])
  RETURNS TABLE (ord bigint, hold_id uuid, startup_id uuid, rate_card_id uuid, code text, charged bigint, spread bigint, fresh boolean)
  LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
  #variable_conflict use_column
  BEGIN
    INSERT INTO ledger_account (id, name, ledger, kind, organisation_id, period, limited, created_at)
    SELECT gen_random_uuid(), 'payable:' || i.provider_id || ':' || i.period, 'USD', 'PROVIDER_PAYABLE', i.provider_id, i.period, false, i.at
      FROM (SELECT provider_id, period, min(at) AS at FROM hold_resolutions(items) WHERE accrual > 0 GROUP BY provider_id, period) i
     WHERE NOT EXISTS (
             SELECT 1 FROM ledger_account a WHERE a.kind = 'PROVIDER_PAYABLE' AND a.organisation_id = i.provider_id AND a.period = i.period)
    ON CONFLICT (name) DO NOTHING;

    RETURN QUERY
    WITH item AS MATERIALIZED (
      SELECT i.ord, h.id AS hold_id, h.startup_id, h.rate_card_id, i.resolution, i.at, i.provider_id, i.period,
             CASE i.resolution WHEN 'CAPTURED' THEN least(coalesce(i.charge, 0), h.amount_nano_credit) ELSE 0 END AS charge,
             CASE i.resolution WHEN 'CAPTURED' THEN coalesce(i.accrual, 0) ELSE 0 END AS accrual,
             h.state, h.captured_nano_credit, min(i.ord) OVER (PARTITION BY i.hold_id) AS first_ord,
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
          SELECT i.hold_id, i.at, i.provider_id, i.period, i.accrual, t.id AS pending_id, t.debit_account_id AS lot_id,
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
    SELECT i.ord, i.hold_id, i.startup_id, i.rate_card_id,
           CASE WHEN i.hold_id IS NULL THEN 'HOLD_NOT_FOUND'
                WHEN i.resolution = CASE WHEN f.fresh THEN f.resolution ELSE i.state END THEN i.resolution
                ELSE 'HOLD_NOT_OPEN' END,
           CASE WHEN i.hold_id IS NULL THEN 0 WHEN f.fresh THEN f.charge ELSE i.captured_nano_credit END,
           CASE WHEN f.fresh THEN coalesce(s.spread, 0)
                ELSE coalesce((SELECT sum(CASE t.code WHEN 'SPREAD' THEN t.amount ELSE -t.amount END) FROM transfer t
                                WHERE t.group_id = i.hold_id AND t.code IN ('SPREAD', 'SHORTFALL')), 0)::bigint END,
           i.fresh
      FROM item i JOIN item f ON f.ord = i.first_ord LEFT JOIN share s ON s.hold_id = i.hold_id
     ORDER BY i.ord;
  END $$;`;

export class LedgerFunctions implements MigrationInterface {
  readonly name = "ledger-functions-1763900000011";

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [lock, legId, types, openLots, post, placeHolds, resolveHolds])
      await runner.query(statement);
    await runner.query(`
      INSERT INTO ledger_account (id, name, ledger, kind, limited, created_at) VALUES
        (gen_random_uuid(), 'cash:trust', 'USD', 'CASH_TRUST', false, now()),
        (gen_random_uuid(), 'revenue:spread', 'USD', 'REVENUE_SPREAD', false, now())
    `);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
