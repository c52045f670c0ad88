/** SQL of migration 0029: the one statement of the relay's group commit. */

/**
 * `batch`: { resolutions, usages, returns, grants, holds }, of which any may be left out: arrays of objects whose members are those
 * of the types hold_resolution, hold_request and of the functions called; `usages`: one per resolution that charges, whose `ord`
 * counts the resolutions from 1. `charges`: what leases are charged, which is nearly all that a relay settles, as rows: they are
 * read at half the cost of objects. What frees credit comes first, so that what needs credit finds it. Answers an array per kind,
 * each in order.
 */
export const commit = `
  CREATE FUNCTION metering_commit(batch json, charges lease_charge[] DEFAULT '{}') RETURNS json LANGUAGE plpgsql AS $$
  DECLARE
    b record;
    resolution_items hold_resolution[];
    hold_items hold_request[];
    settled settled_request[];
    resolved json := '[]';
    captured json := '[]';
    returned json := '[]';
    granted json := '[]';
    placed json := '[]';
  BEGIN
    -- One pass over the text: reading a member out of a json value parses the whole value again each time.
    SELECT * INTO b FROM json_to_record(batch) AS r(resolutions json, usages json, returns json, grants json, holds json);
    PERFORM ledger_lock();
    IF json_array_length(b.resolutions) > 0 THEN
      resolution_items := ARRAY(SELECT json_populate_recordset(NULL::hold_resolution, b.resolutions));
      SELECT json_agg(json_build_object('code', r.code, 'charged', r.charged::text, 'spread', r.spread::text, 'fresh', r.fresh) ORDER BY r.ord),
             array_agg(ROW(r.ord, r.hold_id, r.startup_id, NULL, r.rate_card_id, r.held, r.charged, r.spread, i.accrual, i.provider_id, r.period,
                           i.at)::settled_request) FILTER (WHERE r.fresh AND r.code = 'CAPTURED')
        INTO resolved, settled
        FROM ledger_resolve_holds(resolution_items) r JOIN hold_resolutions(resolution_items) i ON i.ord = r.ord;
      PERFORM metering_record(settled, b.usages);
    END IF;
    IF cardinality(charges) > 0 THEN captured := coalesce(metering_capture_plain(charges), metering_capture(charges)); END IF;
    IF json_array_length(b.returns) > 0 OR json_array_length(b.grants) > 0 THEN
      -- In the order in which beats and recalls lock them.
      PERFORM 1 FROM lease l
        WHERE l.id IN (SELECT r."leaseId" FROM json_to_recordset(b.returns) AS r("leaseId" uuid)
                       UNION SELECT g."leaseId" FROM json_to_recordset(b.grants) AS g("leaseId" uuid))
        ORDER BY l.id FOR UPDATE;
    END IF;
    IF json_array_length(b.returns) > 0 THEN
      SELECT json_agg(json_build_object('code', ledger_return_lease(r.id, r."leaseId", r.amount, r.acknowledges, r.close, r.at)))
        INTO returned
        FROM json_to_recordset(b.returns) AS r(id uuid, "leaseId" uuid, amount bigint, acknowledges integer, close boolean, at timestamptz);
    END IF;
    IF json_array_length(b.grants) > 0 THEN
      SELECT json_agg(json_build_object('code', g.code, 'granted', g.granted::text, 'available', g.available::text, 'usableUntil', g.usable_until))
        INTO granted
        FROM json_to_recordset(b.grants) AS r(id uuid, "leaseId" uuid, "startupId" uuid, instance uuid, accelerators text[], workload text,
             amount bigint, "sharePpm" bigint, minimum bigint, "ttlMs" integer, at timestamptz, "budgetIds" uuid[], "budgetEpoch" integer),
             LATERAL budget_grant_lease(r.id, r."leaseId", r."startupId", r.instance, r.accelerators, r.workload, r.amount, r."sharePpm",
                                        r.minimum, r."ttlMs", r.at, r."budgetIds", r."budgetEpoch") g;
    END IF;
    IF json_array_length(b.holds) > 0 THEN
      hold_items := ARRAY(SELECT json_populate_recordset(NULL::hold_request, b.holds));
      SELECT json_agg(CASE WHEN p.under IS NULL THEN json_build_object('code', p.code, 'available', p.available::text, 'leased', p.leased::text)
                           ELSE json_build_object('code', p.code, 'available', p.available::text, 'leased', p.leased::text, 'budget', p.budget,
                                                  'under', p.under) END ORDER BY p.ord)
        INTO placed FROM budget_place_holds(hold_items) p;
    END IF;
    RETURN json_build_object('resolutions', resolved, 'captures', captured, 'returns', returned, 'grants', granted, 'holds', placed);
  END $$;`;
