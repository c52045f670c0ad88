/** Who has an idempotency key, decided in one statement each. */

/**
 * Takes the key for a request: when it is free, a day old, or its process is silent and cannot settle any more.
 * $1 organisation, $2 key, $3 request, $4 fingerprint, $5 now, $6 a day ago, $7 silent since.
 *
 * That it cannot settle:
 * - nothing is stored: from now on it can store nothing under this key, and whoever did not store does not settle;
 * - it is charged to a lease which is not active any more: no capture commits after that, and one before it left a record;
 * - its hold in the ledger was freed: the same.
 * A lease or hold that this statement does not see yet is one that lives: the key stays where it is.
 * A repeat of the same claim, when its reply was lost, finds its own request and takes it again.
 */
export const claimText = `
  INSERT INTO kept_answer AS k (organisation_id, key, request_id, fingerprint, claimed_at, renewed_at)
  VALUES ($1, $2, $3, $4, $5, $5)
  ON CONFLICT (organisation_id, key) DO UPDATE
    SET request_id = excluded.request_id, fingerprint = excluded.fingerprint, claimed_at = excluded.claimed_at,
        renewed_at = excluded.renewed_at, lease_id = NULL, stored_at = NULL, sealed = NULL
    WHERE k.request_id = excluded.request_id
       OR k.claimed_at <= $6
       OR (k.fingerprint = excluded.fingerprint
           AND k.renewed_at <= $7
           AND NOT EXISTS (SELECT FROM usage_record u WHERE u.id = k.request_id)
           AND (k.stored_at IS NULL
                OR EXISTS (SELECT FROM lease l WHERE l.id = k.lease_id AND l.state <> 'ACTIVE')
                OR (k.lease_id IS NULL
                    AND EXISTS (SELECT FROM hold h WHERE h.id = k.request_id AND h.state IN ('VOIDED', 'EXPIRED')))))
  RETURNING k.request_id`;

/** $1 organisation, $2 key, $3 silent since. */
export const lookText = `
  SELECT k.request_id, k.fingerprint, CASE WHEN u.id IS NULL THEN NULL ELSE k.sealed END AS sealed, u.charge_nano_credit::text AS charge,
         u.id IS NULL AND k.renewed_at <= $3 AND k.stored_at IS NOT NULL AND k.lease_id IS NULL
           AND EXISTS (SELECT FROM hold h WHERE h.id = k.request_id AND h.state = 'HELD') AS open_hold_of_the_dead
    FROM kept_answer k LEFT JOIN usage_record u ON u.id = k.request_id
   WHERE k.organisation_id = $1 AND k.key = $2`;
