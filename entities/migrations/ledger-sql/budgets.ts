/** SQL of migration 0026: what counts holds, leases and charges against budgets, and what a budget refuses. */

/** A hold tells whose key it is for. */
const holdTypes = `
  DROP FUNCTION hold_requests(hold_request[]);
  ALTER TYPE hold_request ADD ATTRIBUTE "apiKeyId" uuid;
  CREATE FUNCTION hold_requests(items hold_request[])
  RETURNS TABLE (id uuid, startup_id uuid, amount bigint, rate_card_id uuid, placed_at timestamptz, expires_at timestamptz,
                 accelerators text[], workload text, api_key_id uuid, ord bigint)
  LANGUAGE plpgsql ROWS 256 AS $$ BEGIN RETURN QUERY SELECT * FROM unnest(items) WITH ORDINALITY; END $$;`;

/**
 * The only writer of a budget's counters. \`limit\` says what may be committed; \`ceiling\` is above it only where a limit was
 * lowered below what was committed already, and comes down as that is freed. A lease's capture moves its counter before the
 * charge is counted, so that what leaves a lease does not lower the ceiling yet.
 */
const count = `
  CREATE TYPE budget_delta AS (budget_id uuid, period text, spent bigint, held bigint, leased bigint, cause uuid, at timestamptz);
  CREATE FUNCTION budget_count(deltas budget_delta[]) RETURNS void
  LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
  BEGIN
    IF cardinality(deltas) = 0 THEN RETURN; END IF;
    WITH moved AS (
      UPDATE budget_period p
         SET spent_nano_credit = p.spent_nano_credit + d.spent, held_nano_credit = p.held_nano_credit + d.held,
             leased_nano_credit = p.leased_nano_credit + d.leased,
             ceiling_nano_credit = CASE WHEN d.leased < 0 THEN p.ceiling_nano_credit ELSE
               greatest(p.limit_nano_credit, least(p.ceiling_nano_credit,
                 p.spent_nano_credit + p.held_nano_credit + p.leased_nano_credit + d.spent + d.held + d.leased)) END
        FROM unnest(deltas) d WHERE p.budget_id = d.budget_id AND p.period = d.period
      RETURNING p.budget_id, p.period, p.limit_nano_credit AS most, p.spent_nano_credit AS spent, d.spent AS by, d.cause, d.at
    ), crossed AS (
      INSERT INTO budget_alert (id, budget_id, startup_id, period, threshold_ppm, limit_nano_credit, spent_nano_credit, at)
      SELECT ledger_named_id(m.cause, 'budget-alert:' || b.id || m.period || t.ppm), b.id, b.startup_id, m.period, t.ppm, m.most, m.spent, m.at
        FROM moved m JOIN budget b ON b.id = m.budget_id AND b.removed_at IS NULL
       CROSS JOIN LATERAL unnest(b.thresholds_ppm || 1000000) AS t(ppm)
       WHERE m.spent::numeric * 1000000 >= m.most::numeric * t.ppm AND (m.spent - m.by)::numeric * 1000000 < m.most::numeric * t.ppm
      ON CONFLICT (budget_id, period, threshold_ppm) DO NOTHING
      RETURNING id, startup_id, at
    )
    INSERT INTO outbox_event (id, topic, organisation_id, payload, created_at)
    SELECT ledger_named_id(id, 'told'), 'budget.alert.raised', startup_id, jsonb_build_object('alertId', id), at FROM crossed;
  END $$;`;

/**
 * Whatever writes holds, lease slices and records of charges, now or in time to come, is counted, once per statement. The first
 * question of each spares a marketplace without budgets the rest.
 */
const triggers = `
  CREATE FUNCTION budget_counts_holds() RETURNS trigger
  LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
  BEGIN
    IF NOT EXISTS (SELECT FROM budget_epoch) THEN RETURN NULL; END IF;
    PERFORM budget_count(ARRAY(
      SELECT ROW(b.budget_id, b.period, sum(n.captured_nano_credit - o.captured_nano_credit),
                 sum(CASE n.state WHEN 'HELD' THEN n.amount_nano_credit - n.captured_nano_credit ELSE 0 END
                     - CASE o.state WHEN 'HELD' THEN o.amount_nano_credit - o.captured_nano_credit ELSE 0 END),
                 0, max(n.id::text)::uuid, max(coalesce(n.resolved_at, n.placed_at)))::budget_delta
        FROM after n JOIN before o ON o.id = n.id JOIN hold_budget b ON b.hold_id = n.id
       GROUP BY b.budget_id, b.period));
    RETURN NULL;
  END $$;
  CREATE TRIGGER budget_counts_holds AFTER UPDATE ON hold REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION budget_counts_holds();

  CREATE FUNCTION budget_counts_new_slices() RETURNS trigger
  LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
  BEGIN
    IF NOT EXISTS (SELECT FROM budget_epoch) THEN RETURN NULL; END IF;
    PERFORM budget_count(ARRAY(
      SELECT ROW(b.budget_id, b.period, 0, 0, sum(n.balance_nano_credit), NULL, NULL)::budget_delta
        FROM after n JOIN lease_budget b ON b.lease_id = n.lease_id GROUP BY b.budget_id, b.period));
    RETURN NULL;
  END $$;
  CREATE TRIGGER budget_counts_new_slices AFTER INSERT ON lease_slice REFERENCING NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION budget_counts_new_slices();

  CREATE FUNCTION budget_counts_slices() RETURNS trigger
  LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
  BEGIN
    IF NOT EXISTS (SELECT FROM budget_epoch) THEN RETURN NULL; END IF;
    PERFORM budget_count(ARRAY(
      SELECT ROW(b.budget_id, b.period, 0, 0, sum(s.moved), NULL, NULL)::budget_delta
        FROM (SELECT lease_id, balance_nano_credit AS moved FROM after
              UNION ALL SELECT lease_id, -balance_nano_credit FROM before) s
        JOIN lease_budget b ON b.lease_id = s.lease_id GROUP BY b.budget_id, b.period));
    RETURN NULL;
  END $$;
  CREATE TRIGGER budget_counts_slices AFTER UPDATE ON lease_slice REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION budget_counts_slices();

  -- Charges to a lease have no hold; what they take of it is off its counter already.
  CREATE FUNCTION budget_counts_charges() RETURNS trigger
  LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
  BEGIN
    IF NOT EXISTS (SELECT FROM budget_epoch) THEN RETURN NULL; END IF;
    PERFORM budget_count(ARRAY(
      SELECT ROW(b.budget_id, b.period, sum(n.charge_nano_credit), 0, 0, max(n.id::text)::uuid, max(n.completed_at))::budget_delta
        FROM after n JOIN lease_budget b ON b.lease_id = n.lease_id GROUP BY b.budget_id, b.period));
    RETURN NULL;
  END $$;
  CREATE TRIGGER budget_counts_charges AFTER INSERT ON usage_record REFERENCING NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION budget_counts_charges();`;

/** A budget's period at an instant, and the row that counts it, opened when something is first to be counted in it. */
const periods = `
  CREATE FUNCTION budget_period_at(kind text, at timestamptz) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE kind WHEN 'MONTH' THEN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM') ELSE 'TOTAL' END
  $$;
  CREATE FUNCTION budget_open_periods(ids uuid[], periods text[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO budget_period (budget_id, period, limit_nano_credit, hard_stop, ceiling_nano_credit)
    SELECT DISTINCT b.id, u.period, b.amount_nano_credit, b.hard_stop, b.amount_nano_credit
      FROM unnest(ids, periods) AS u(id, period) JOIN budget b ON b.id = u.id
    ON CONFLICT (budget_id, period) DO NOTHING
  $$;
  -- Its own, which a key that replaced it inherits, and that of its project.
  CREATE FUNCTION budgets_over(key uuid) RETURNS SETOF budget LANGUAGE sql STABLE ROWS 2 AS $$
    SELECT b.* FROM api_key k JOIN budget b ON b.api_key_id = coalesce(k.origin_id, k.id) AND b.removed_at IS NULL WHERE k.id = key
    UNION ALL
    SELECT b.* FROM api_key k JOIN budget b ON b.project_id = k.project_id AND b.removed_at IS NULL WHERE k.id = key
  $$;`;

/**
 * Which requests a hard budget has no room for at their turn, and the tightest of their budgets with what it had left. As if
 * they came one by one: one that is refused takes nothing.
 */
const refusals = `
  CREATE TYPE budget_claim AS (ord bigint, amount bigint, budget_id uuid, period text);
  CREATE FUNCTION budget_refusals(claims budget_claim[]) RETURNS TABLE (ord bigint, budget_id uuid, period text, room bigint)
  LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
  #variable_conflict use_column
  DECLARE
    ids uuid[];
    names text[];
    rooms numeric[];
    one record;
    place integer;
    tightest integer;
  BEGIN
    SELECT array_agg(p.budget_id), array_agg(p.budget_id || p.period),
           array_agg(p.limit_nano_credit - p.spent_nano_credit - p.held_nano_credit - p.leased_nano_credit)
      INTO ids, names, rooms
      FROM (SELECT c.budget_id, c.period, sum(c.amount) AS asked FROM unnest(claims) c GROUP BY c.budget_id, c.period) a
      JOIN budget_period p ON p.budget_id = a.budget_id AND p.period = a.period
     WHERE p.hard_stop AND a.asked > p.limit_nano_credit - p.spent_nano_credit - p.held_nano_credit - p.leased_nano_credit;
    IF ids IS NULL THEN RETURN; END IF;
    FOR one IN
      SELECT c.ord, c.amount, array_agg(array_position(names, c.budget_id || c.period)) AS places, min(c.period) AS period
        FROM unnest(claims) c WHERE c.budget_id || c.period = ANY (names) GROUP BY c.ord, c.amount ORDER BY c.ord
    LOOP
      tightest := one.places[1];
      FOREACH place IN ARRAY one.places LOOP
        IF rooms[place] < rooms[tightest] THEN tightest := place; END IF;
      END LOOP;
      IF one.amount <= rooms[tightest] THEN
        FOREACH place IN ARRAY one.places LOOP rooms[place] := rooms[place] - one.amount; END LOOP;
      ELSE
        RETURN QUERY SELECT one.ord, ids[tightest], substr(names[tightest], 37), greatest(rooms[tightest], 0)::bigint;
      END IF;
    END LOOP;
  END $$;`;

/**
 * As ledger_place_holds, with budgets beside the wallet: BUDGET_EXCEEDED comes with the tightest budget. \`under\` tells of startups
 * that have budgets what the key is under, by which a relay process knows what to lease for it.
 *
 * Budgets first, then the wallet; what a wallet refuses gives its place in the budget to those behind it, so that in the end
 * nobody is refused for whom there is room.
 */
const placeHolds = `
  CREATE TYPE budget_answer AS (ord bigint, code text, available bigint, leased bigint, budget_id uuid, period text);
  CREATE FUNCTION budget_place_holds(items hold_request[])
  RETURNS TABLE (ord bigint, code text, available bigint, leased bigint, budget json, under json)
  LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
  #variable_conflict use_column
  DECLARE
    claims budget_claim[];
    refused budget_answer[];
    placed budget_answer[];
    answers budget_answer[] := '{}';
    waiting bigint[];
    passing bigint[];
  BEGIN
    IF NOT EXISTS (SELECT FROM hold_requests(items) i JOIN budget_epoch e ON e.startup_id = i.startup_id) THEN
      RETURN QUERY SELECT p.ord, p.code, p.available, p.leased, NULL::json, NULL::json FROM ledger_place_holds(items) p;
      RETURN;
    END IF;
    -- Of what is new: a repeat has its place already.
    claims := ARRAY(
      SELECT ROW(i.ord, i.amount, b.id, budget_period_at(b.period, i.placed_at))::budget_claim
        FROM hold_requests(items) i
        JOIN budget_epoch e ON e.startup_id = i.startup_id AND e.standing
       CROSS JOIN LATERAL budgets_over(i.api_key_id) b
       WHERE b.startup_id = i.startup_id AND NOT EXISTS (SELECT FROM hold h WHERE h.id = i.id)
         AND NOT EXISTS (SELECT FROM hold_requests(items) e WHERE e.id = i.id AND e.ord < i.ord)
       ORDER BY i.ord);
    PERFORM budget_open_periods(array_agg(c.budget_id), array_agg(c.period)) FROM unnest(claims) c;
    waiting := ARRAY(SELECT generate_series(1, cardinality(items)));
    LOOP
      refused := ARRAY(
        SELECT ROW(again.ord, 'BUDGET_EXCEEDED', r.room, p.leased_nano_credit, r.budget_id, r.period)::budget_answer
          FROM budget_refusals(ARRAY(SELECT c FROM unnest(claims) c WHERE c.ord = ANY (waiting))) r
          JOIN budget_period p ON p.budget_id = r.budget_id AND p.period = r.period
          JOIN hold_requests(items) first ON first.ord = r.ord
          JOIN hold_requests(items) again ON again.id = first.id);
      passing := ARRAY(SELECT w FROM unnest(waiting) w WHERE w <> ALL (ARRAY(SELECT r.ord FROM unnest(refused) r)) ORDER BY w);
      EXIT WHEN cardinality(passing) = 0;
      placed := ARRAY(
        SELECT ROW(passing[p.ord], p.code, p.available, p.leased, NULL, NULL)::budget_answer
          FROM ledger_place_holds(ARRAY(SELECT items[o] FROM unnest(passing) AS o)) p);
      answers := answers || placed;
      INSERT INTO hold_budget (hold_id, budget_id, period)
      SELECT i.id, c.budget_id, c.period
        FROM unnest(claims) c JOIN unnest(placed) p ON p.ord = c.ord AND p.code = 'HELD' JOIN hold_requests(items) i ON i.ord = c.ord;
      PERFORM budget_count(ARRAY(
        SELECT ROW(c.budget_id, c.period, 0, sum(c.amount), 0, NULL, NULL)::budget_delta
          FROM unnest(claims) c JOIN unnest(placed) p ON p.ord = c.ord AND p.code = 'HELD' GROUP BY c.budget_id, c.period));
      waiting := ARRAY(SELECT r.ord FROM unnest(refused) r ORDER BY r.ord);
      EXIT WHEN cardinality(waiting) = 0
        OR NOT EXISTS (SELECT FROM unnest(claims) c JOIN unnest(placed) p ON p.ord = c.ord AND p.code <> 'HELD');
    END LOOP;
    answers := answers || refused;
    RETURN QUERY
    SELECT a.ord, a.code, a.available, a.leased, CASE WHEN a.budget_id IS NOT NULL THEN budget_refusal(a.budget_id, a.period) END,
           (SELECT json_build_object('epoch', e.epoch, 'standing', e.standing,
                                     'ids', coalesce((SELECT json_agg(b.id ORDER BY b.id) FROM budgets_over(i.api_key_id) b
                                                       WHERE b.startup_id = i.startup_id), '[]'))
              FROM budget_epoch e WHERE e.startup_id = i.startup_id)
      FROM unnest(answers) a JOIN hold_requests(items) i ON i.ord = a.ord
     ORDER BY a.ord;
  END $$;

  -- What whoever is refused is told of the budget. What relays were lent of it counts as held, as it does of a wallet.
  CREATE FUNCTION budget_refusal(budget uuid, period text) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('id', b.id, 'of', CASE WHEN b.project_id IS NULL THEN 'API_KEY' ELSE 'PROJECT' END,
             'name', coalesce((SELECT p.name FROM project p WHERE p.id = b.project_id), (SELECT k.name FROM api_key k WHERE k.id = b.api_key_id)),
             'period', p.period, 'limit', p.limit_nano_credit::text, 'spent', p.spent_nano_credit::text,
             'held', (p.held_nano_credit + p.leased_nano_credit)::text)
      FROM budget b JOIN budget_period p ON p.budget_id = b.id AND p.period = budget_refusal.period WHERE b.id = budget_refusal.budget
  $$;`;

/**
 * As ledger_grant_lease, for requests under these budgets: of each hard one no more than a share of what is left. The process has
 * to know the startup's budgets as they are now (\`known_epoch\`), or it would lend past one. A lease stays in the month that it
 * was opened in.
 */
const grant = `
  CREATE FUNCTION budget_grant_lease(grant_id uuid, lease uuid, startup uuid, process uuid, wanted_accelerators text[], wanted_workload text,
                                     asked bigint, share_ppm bigint, minimum bigint, ttl_ms integer, at timestamptz, budgets uuid[], known_epoch integer,
                                     OUT code text, OUT granted bigint, OUT available bigint, OUT usable_until timestamptz)
  LANGUAGE plpgsql SET enable_seqscan = off AS $$
  DECLARE
    epoch integer := coalesce((SELECT e.epoch FROM budget_epoch e WHERE e.startup_id = startup), 0);
    room numeric;
    until timestamptz;
    most bigint := asked;
  BEGIN
    IF NOT EXISTS (SELECT FROM transfer t WHERE t.group_id = grant_id) THEN
      IF epoch <> coalesce(known_epoch, 0) THEN
        code := 'BUDGETS_CHANGED';
        RETURN;
      END IF;
      IF cardinality(budgets) > 0 THEN
        PERFORM budget_open_periods(array_agg(b.id), array_agg(budget_period_at(b.period, at))) FROM budget b WHERE b.id = ANY (budgets);
        SELECT min(p.limit_nano_credit - p.spent_nano_credit - p.held_nano_credit - p.leased_nano_credit) INTO room
          FROM budget b JOIN budget_period p ON p.budget_id = b.id AND p.period = budget_period_at(b.period, at)
         WHERE b.id = ANY (budgets) AND p.hard_stop;
        -- Null: none of them stops anything.
        IF room IS NOT NULL THEN most := least(asked, div(greatest(room, 0) * share_ppm, 1000000)::bigint); END IF;
        IF most < greatest(minimum, 1)
           OR EXISTS (SELECT FROM lease_budget l WHERE l.lease_id = lease AND l.period NOT IN ('TOTAL', budget_period_at('MONTH', at))) THEN
          code := 'TOO_LITTLE';
          RETURN;
        END IF;
        INSERT INTO lease_budget (lease_id, budget_id, period)
        SELECT lease, b.id, budget_period_at(b.period, at) FROM budget b WHERE b.id = ANY (budgets) AND b.startup_id = startup
        ON CONFLICT (lease_id, budget_id) DO NOTHING;
      END IF;
    END IF;
    SELECT g.* INTO code, granted, available, usable_until
      FROM ledger_grant_lease(grant_id, lease, startup, process, wanted_accelerators, wanted_workload, most, share_ppm, minimum, ttl_ms, at) g;
    IF cardinality(budgets) > 0 THEN
      IF NOT EXISTS (SELECT FROM lease l WHERE l.id = lease) THEN DELETE FROM lease_budget l WHERE l.lease_id = lease; END IF;
      SELECT min(((l.period || '-01')::timestamp + interval '1 month') AT TIME ZONE 'UTC') INTO until
        FROM lease_budget l WHERE l.lease_id = lease AND l.period <> 'TOTAL';
      usable_until := least(usable_until, until);
    END IF;
  END $$;`;

/** Leases with credit under a budget, asked to come back; as lease_recall. */
const recall = `
  CREATE FUNCTION budget_recall(budget uuid) RETURNS TABLE (lease_id uuid, instance uuid, recall_epoch integer)
  LANGUAGE sql AS $$
    WITH asked AS (
      SELECT l.id FROM lease l
       WHERE l.state = 'ACTIVE' AND EXISTS (SELECT FROM lease_budget b WHERE b.lease_id = l.id AND b.budget_id = budget)
       ORDER BY l.id FOR UPDATE
    )
    UPDATE lease l SET recall_epoch = l.recall_epoch + 1 FROM asked WHERE l.id = asked.id
    RETURNING l.id, l.instance, l.recall_epoch
  $$;`;

export const budgetFunctions: string[] = [
  holdTypes,
  count,
  periods,
  refusals,
  placeHolds,
  grant,
  recall,
  triggers,
  `REVOKE EXECUTE ON FUNCTION budget_count(budget_delta[]), budget_open_periods(uuid[], text[]), budgets_over(uuid), budget_refusals(budget_claim[]),
     budget_place_holds(hold_request[]), budget_refusal(uuid, text), budget_recall(uuid),
     budget_grant_lease(uuid, uuid, uuid, uuid, text[], text, bigint, bigint, bigint, integer, timestamptz, uuid[], integer) FROM PUBLIC`,
];
