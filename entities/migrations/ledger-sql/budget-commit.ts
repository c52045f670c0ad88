/** SQL of migration 0026: the group commit of migration 0017, with holds and leases that know of budgets. */

/** A hold tells whose key it is for. */
const types = `
  DROP FUNCTION hold_requests(hold_request[]);
  ALTER TYPE hold_request ADD ATTRIBUTE "apiKeyId" uuid;
  CREATE FUNCTION hold_requests(items hold_request[])
  RETURNS TABLE (id uuid, startup_id uuid, amount bigint, rate_card_id uuid, placed_at timestamptz, expires_at timestamptz,
                 accelerators text[], workload text, api_key_id uuid, ord bigint)
  LANGUAGE plpgsql ROWS 256 AS $$ BEGIN RETURN QUERY SELECT * FROM unnest(items) WITH ORDINALITY; END $$;`;

/** As in migration 0017 but for grants, which name budgets, and holds, whose answers tell of them. */
const commit = `
  CREATE OR REPLACE FUNCTION metering_commit(batch json) RETURNS json LANGUAGE plpgsql AS $$
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
             amount bigint, "sharePpm" bigint, minimum bigint, "ttlMs" integer, at timestamptz, "budgetIds" uuid[], "budgetEpoch" integer),
             LATERAL budget_grant_lease(r.id, r."leaseId", r."startupId", r.instance, r.accelerators, r.workload, r.amount, r."sharePpm",
                                        r.minimum, r."ttlMs", r.at, r."budgetIds", r."budgetEpoch") g;
    END IF;
    IF cardinality(hold_items) > 0 THEN
      SELECT json_agg(CASE WHEN p.under IS NULL THEN json_build_object('code', p.code, 'available', p.available::text, 'leased', p.leased::text)
                           ELSE json_build_object('code', p.code, 'available', p.available::text, 'leased', p.leased::text, 'budget', p.budget,
                                                  'under', p.under) END ORDER BY p.ord)
        INTO placed FROM budget_place_holds(hold_items) p;
    END IF;
    RETURN json_build_object('resolutions', resolved, 'captures', captured, 'returns', returned, 'grants', granted, 'holds', placed);
  END $$;`;

export const budgetTypes = types;
export const budgetCommit = commit;
