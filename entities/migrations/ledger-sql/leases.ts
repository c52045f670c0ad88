/** SQL of migration 0017: credit lent to relay processes. Each works under the ledger's lock, so that a sweep and a capture never meet. */

/** Tranche by tranche: acts of a relay every few seconds, so one by one and plainly. */
const grant = `
  CREATE FUNCTION ledger_grant_lease(grant_id uuid, lease uuid, startup uuid, process uuid, wanted_accelerators text[], wanted_workload text,
                                     asked bigint, share_ppm bigint, minimum bigint, ttl_ms integer, at timestamptz,
                                     OUT code text, OUT granted bigint, OUT available bigint, OUT usable_until timestamptz)
  LANGUAGE plpgsql AS $$
  DECLARE
    known record;
    lot record;
    leased uuid;
    take bigint;
    rest bigint;
    leg bigint := 0;
  BEGIN
    SELECT l.* INTO known FROM lease l WHERE l.id = lease FOR UPDATE;
    -- Nothing more for a lease that is gone, or is asked to come back.
    IF known.id IS NOT NULL AND (known.state <> 'ACTIVE' OR known.startup_id <> startup OR known.instance <> process) THEN
      code := 'LEASE_LOST';
      RETURN;
    END IF;
    SELECT coalesce(sum(o.free), 0) INTO available FROM ledger_open_lots(startup, wanted_accelerators, wanted_workload, at) o;
    SELECT sum(t.amount) INTO granted FROM transfer t WHERE t.group_id = grant_id;
    IF granted IS NULL THEN
      rest := least(asked, div(available::numeric * share_ppm, 1000000)::bigint);
      IF rest < greatest(minimum, 1) OR known.recall_epoch > known.acknowledged_epoch THEN
        code := 'TOO_LITTLE';
        RETURN;
      END IF;
      granted := rest;
      IF known.id IS NULL THEN
        INSERT INTO lease (id, startup_id, instance, purpose, state, opened_at, expires_at)
        VALUES (lease, startup, process, coalesce(wanted_workload, '*') || '|' || coalesce(array_to_string(wanted_accelerators, ','), '*'), 'ACTIVE',
                at, clock_timestamp() + ttl_ms * interval '1 millisecond');
      END IF;
      FOR lot IN SELECT o.* FROM ledger_open_lots(startup, wanted_accelerators, wanted_workload, at) o ORDER BY o.place LOOP
        EXIT WHEN rest = 0;
        take := least(rest, lot.free);
        leg := leg + 1;
        leased := ledger_leased_account(lot.id, at);
        PERFORM ledger_move(ledger_leg_id(grant_id, leg), grant_id, 'LEASE', lot.id, leased, take, at);
        INSERT INTO lease_slice AS s (lease_id, leased_account_id, lot_account_id, balance_nano_credit) VALUES (lease, leased, lot.id, take)
        ON CONFLICT (lease_id, leased_account_id) DO UPDATE SET balance_nano_credit = s.balance_nano_credit + excluded.balance_nano_credit;
        rest := rest - take;
      END LOOP;
      available := available - granted;
    END IF;
    code := 'GRANTED';
    SELECT min(a.expires_at) INTO usable_until
      FROM lease_slice s JOIN ledger_account a ON a.id = s.lot_account_id WHERE s.lease_id = lease AND s.balance_nano_credit > 0;
  END $$;

  -- Where a lot keeps what is leased of it, to whomever; opened when it is first needed.
  CREATE FUNCTION ledger_leased_account(lot_account uuid, at timestamptz) RETURNS uuid LANGUAGE plpgsql AS $$
  DECLARE
    lot ledger_account;
    found uuid;
  BEGIN
    SELECT * INTO STRICT lot FROM ledger_account a WHERE a.id = lot_account;
    SELECT a.id INTO found FROM ledger_account a WHERE a.lot_id = lot.lot_id AND a.kind = 'LEASED';
    IF found IS NULL THEN
      found := gen_random_uuid();
      INSERT INTO ledger_account (id, name, ledger, kind, organisation_id, facility_id, lot_id, multiplier_ppm, priority, expires_at, limited, created_at)
      VALUES (found, 'lot:' || lot.lot_id || ':leased', 'CRD', 'LEASED', lot.organisation_id, lot.facility_id, lot.lot_id, lot.multiplier_ppm,
              lot.priority, lot.expires_at, true, at);
    END IF;
    RETURN found;
  END $$;`;

/** What was drawn last goes back first, so that what stays is still drawn in order. */
const giveBack = `
  CREATE FUNCTION ledger_return_lease(return_id uuid, lease uuid, amount bigint, acknowledges integer, closes boolean, at timestamptz, OUT code text)
  LANGUAGE plpgsql AS $$
  DECLARE
    known record;
    slice record;
    rest bigint;
    take bigint;
    leg bigint := 0;
  BEGIN
    SELECT l.* INTO known FROM lease l WHERE l.id = lease FOR UPDATE;
    code := CASE WHEN known.state IN ('ACTIVE', 'RETURNED') THEN 'RETURNED' ELSE 'LEASE_LOST' END;
    IF known.state IS DISTINCT FROM 'ACTIVE' THEN RETURN; END IF;
    rest := CASE WHEN closes THEN NULL ELSE ledger_return_lease.amount END;
    IF NOT EXISTS (SELECT FROM transfer t WHERE t.group_id = return_id) THEN
      FOR slice IN
        SELECT s.* FROM lease_slice s JOIN ledger_account a ON a.id = s.lot_account_id
         WHERE s.lease_id = lease AND s.balance_nano_credit > 0
         ORDER BY a.priority DESC, a.expires_at DESC NULLS FIRST, a.id DESC
      LOOP
        take := least(slice.balance_nano_credit, rest);
        EXIT WHEN take = 0;
        leg := leg + 1;
        PERFORM ledger_move(ledger_leg_id(return_id, leg), return_id, 'LEASE_RETURN', slice.leased_account_id, slice.lot_account_id, take, at);
        UPDATE lease_slice s SET balance_nano_credit = s.balance_nano_credit - take
         WHERE s.lease_id = lease AND s.leased_account_id = slice.leased_account_id;
        rest := rest - take;
      END LOOP;
      IF rest > 0 THEN
        RAISE EXCEPTION 'lease % has not % to return', lease, ledger_return_lease.amount USING ERRCODE = 'check_violation';
      END IF;
    END IF;
    UPDATE lease l
       SET acknowledged_epoch = greatest(l.acknowledged_epoch, least(coalesce(acknowledges, 0), l.recall_epoch)),
           state = CASE WHEN closes THEN 'RETURNED' ELSE l.state END,
           closed_at = CASE WHEN closes THEN ledger_return_lease.at END
     WHERE l.id = lease;
  END $$;`;

/**
 * Rows of leases are locked in the order of their ids, here and by commits: a beat, a recall and a commit that took several in
 * orders of their own were seen to wait for each other in a circle. Liveness goes by the database's clock: the processes'
 * clocks may differ, and a test may move the one of business.
 */
const beats = `
  CREATE FUNCTION lease_beat(process uuid, ttl_ms integer) RETURNS TABLE (id uuid, recall_epoch integer, acknowledged_epoch integer)
  LANGUAGE sql AS $$
    WITH own AS (SELECT o.id FROM lease o WHERE o.instance = process AND o.state = 'ACTIVE' ORDER BY o.id FOR UPDATE)
    UPDATE lease l SET expires_at = clock_timestamp() + ttl_ms * interval '1 millisecond'
      FROM own WHERE l.id = own.id
    RETURNING l.id, l.recall_epoch, l.acknowledged_epoch
  $$;

  -- A process that does not renew counts as dead: its credit goes back, and whatever it still wants to capture is refused.
  CREATE FUNCTION lease_sweep() RETURNS TABLE (lease_id uuid, startup_id uuid, amount bigint) LANGUAGE plpgsql AS $$
  #variable_conflict use_column
  DECLARE
    dead record;
    slice record;
    returned bigint;
  BEGIN
    IF NOT EXISTS (SELECT FROM lease l WHERE l.state = 'ACTIVE' AND l.expires_at < clock_timestamp()) THEN RETURN; END IF;
    PERFORM ledger_lock();
    FOR dead IN SELECT l.* FROM lease l WHERE l.state = 'ACTIVE' AND l.expires_at < clock_timestamp() ORDER BY l.id FOR UPDATE LOOP
      returned := 0;
      FOR slice IN SELECT s.* FROM lease_slice s WHERE s.lease_id = dead.id AND s.balance_nano_credit > 0 LOOP
        PERFORM ledger_move(gen_random_uuid(), dead.id, 'LEASE_RETURN', slice.leased_account_id, slice.lot_account_id, slice.balance_nano_credit,
                            clock_timestamp());
        UPDATE lease_slice s SET balance_nano_credit = 0 WHERE s.lease_id = dead.id AND s.leased_account_id = slice.leased_account_id;
        returned := returned + slice.balance_nano_credit;
      END LOOP;
      UPDATE lease l SET state = 'SWEPT', closed_at = clock_timestamp() WHERE l.id = dead.id;
      RETURN QUERY SELECT dead.id, dead.startup_id, returned;
    END LOOP;
  END $$;

  CREATE FUNCTION lease_recall(startup uuid, facility uuid, lot uuid) RETURNS TABLE (lease_id uuid, instance uuid, recall_epoch integer)
  LANGUAGE sql AS $$
    WITH asked AS (
      SELECT l.id FROM lease l
       WHERE l.state = 'ACTIVE' AND (startup IS NULL OR l.startup_id = startup)
         AND ((facility IS NULL AND lot IS NULL)
              OR EXISTS (SELECT FROM lease_slice s JOIN ledger_account a ON a.id = s.lot_account_id
                          WHERE s.lease_id = l.id AND s.balance_nano_credit > 0
                            AND (facility IS NULL OR a.facility_id = facility) AND (lot IS NULL OR a.lot_id = lot)))
       ORDER BY l.id FOR UPDATE
    )
    UPDATE lease l SET recall_epoch = l.recall_epoch + 1 FROM asked WHERE l.id = asked.id
    RETURNING l.id, l.instance, l.recall_epoch
  $$;`;

export const leaseFunctions: string[] = [
  grant,
  giveBack,
  beats,
  `REVOKE EXECUTE ON FUNCTION ledger_grant_lease(uuid, uuid, uuid, uuid, text[], text, bigint, bigint, bigint, integer, timestamptz),
     ledger_leased_account(uuid, timestamptz), ledger_return_lease(uuid, uuid, bigint, integer, boolean, timestamptz), lease_beat(uuid, integer),
     lease_sweep(), lease_recall(uuid, uuid, uuid) FROM PUBLIC`,
];
