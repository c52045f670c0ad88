/** SQL of migration 0029: charging requests to leases, the short way and the long one. */

/** A request charged to a lease, and the members of its usage record. Names in camel case are those of JSON members. */
const types = `
  CREATE TYPE lease_charge AS (
    ord integer, id uuid, "startupId" uuid, "leaseId" uuid, "rateCardId" uuid, held bigint, at timestamptz, charge bigint, accrual bigint,
    "providerId" uuid, period text, "apiKeyId" uuid, "endpointId" uuid, "offeringId" uuid, "fixingId" uuid, model text, workload text,
    accelerator text, region text, outcome text, "promptTokens" integer, "completionTokens" integer, "usageBounded" boolean,
    "claimedPromptTokens" bigint, "claimedCompletionTokens" bigint, "gpuNanos" bigint, "accrualSharePpm" bigint, attempts integer,
    streamed boolean, "ttftMs" integer, "durationMs" integer, "requestHash" text, "upstreamHash" text);`;

/**
 * As ledger_capture and metering_record, for batches in which all is as nearly always: every request is new and charged once, its
 * lease is open and its startup's, what the batch takes of a lease is there in the lot that comes first, and the month's payables
 * are open. Else it writes nothing and answers null. Having no sums over several lots to keep, it costs two thirds at sixteen
 * requests a commit. The caller holds the ledger's lock.
 *
 * What is needed first stands first in \`found\`: a tuple is taken apart up to the last column that is asked for.
 */
const plain = `
  CREATE FUNCTION metering_capture_plain(charges lease_charge[]) RETURNS json
  LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
  DECLARE
    open_since timestamptz := ledger_books_open_since();
    first_open text := ledger_first_open_period();
    revenue uuid := (SELECT a.id FROM ledger_account a WHERE a.name = 'revenue:spread');
    answer json;
  BEGIN
    WITH source AS MATERIALIZED (
      SELECT l.id AS lease_id, l.startup_id, s.balance_nano_credit AS balance, s.leased_account_id, a.multiplier_ppm,
             r.id AS redeemed_id, b.id AS backing_id, o.segment,
             row_number() OVER (PARTITION BY l.id ORDER BY a.priority, a.expires_at NULLS LAST, s.lot_account_id) AS place
        FROM (SELECT DISTINCT c."leaseId" AS lease_id FROM unnest(charges) c) d
       CROSS JOIN LATERAL (SELECT l.* FROM lease l WHERE l.id = d.lease_id AND l.state = 'ACTIVE' OFFSET 0) l
       CROSS JOIN LATERAL (SELECT s.* FROM lease_slice s WHERE s.lease_id = l.id AND s.balance_nano_credit > 0 OFFSET 0) s
       CROSS JOIN LATERAL (SELECT a.* FROM ledger_account a WHERE a.id = s.leased_account_id OFFSET 0) a
        LEFT JOIN organisation o ON o.id = l.startup_id
        LEFT JOIN ledger_account r ON r.kind = 'CREDIT_REDEEMED' AND r.facility_id = a.facility_id
        LEFT JOIN ledger_account b ON b.kind = 'FACILITY_BACKING' AND b.facility_id = a.facility_id
    ), found AS MATERIALIZED (
      SELECT v.amount, v.accrued, v.release, s.balance, s.leased_account_id, s.redeemed_id, s.backing_id, p.id AS payable_id, c.id,
             c."leaseId" AS lease_id, greatest(c.at, open_since) AS booked_at, c.ord,
             u.id IS NULL AND s.balance IS NOT NULL AND (c.accrual = 0 OR p.id IS NOT NULL) AS plain,
             s.segment, greatest(c.period, first_open) AS booked_period, c."startupId", c."rateCardId", c.held, c.at, c."providerId",
             c."apiKeyId", c."endpointId", c."offeringId", c."fixingId", c.model, c.workload, c.accelerator, c.region, c.outcome,
             c."promptTokens", c."completionTokens", c."usageBounded", c."claimedPromptTokens", c."claimedCompletionTokens",
             c."gpuNanos", c."accrualSharePpm", c.attempts, c.streamed, c."ttftMs", c."durationMs", c."requestHash", c."upstreamHash"
        FROM unnest(charges) c
        LEFT JOIN LATERAL (SELECT u.id FROM usage_record u WHERE u.id = c.id OFFSET 0) u ON true
        LEFT JOIN source s ON s.lease_id = c."leaseId" AND s.startup_id = c."startupId" AND s.place = 1
        LEFT JOIN ledger_account p ON p.kind = 'PROVIDER_PAYABLE' AND p.organisation_id = c."providerId"
                                  AND p.period = greatest(c.period, first_open)
       -- A charge of nothing has nothing to pay out of, and earns nothing.
       CROSS JOIN LATERAL (SELECT least(c.charge, c.held) AS amount, CASE WHEN least(c.charge, c.held) > 0 THEN c.accrual ELSE 0 END AS accrued,
                                  div(least(c.charge, c.held)::numeric * 1000000, s.multiplier_ppm)::bigint AS release) v
    ), taken AS MATERIALIZED (
      SELECT lease_id, leased_account_id, sum(amount) AS amount, min(balance) AS balance FROM found GROUP BY lease_id, leased_account_id
    ), plain AS MATERIALIZED (
      SELECT (SELECT bool_and(f.plain) AND count(*) = count(DISTINCT f.id) FROM found f)
             AND (SELECT bool_and(t.amount <= t.balance) FROM taken t) AS yes
    ), leg AS MATERIALIZED (
      SELECT f.id, f.booked_at, v.*
        FROM found f
       CROSS JOIN LATERAL (VALUES
         ('USAGE', 1, f.leased_account_id, f.redeemed_id, f.amount),
         ('ACCRUAL', 513, f.backing_id, f.payable_id, least(f.accrued, f.release)),
         ('SPREAD', 769, f.backing_id, revenue, f.release - f.accrued),
         ('SHORTFALL', 1025, revenue, f.payable_id, f.accrued - f.release)) AS v(code, nr, debit, credit, amount)
       WHERE v.amount > 0 AND (SELECT yes FROM plain)
    ), legs AS (
      INSERT INTO transfer (id, group_id, kind, code, debit_account_id, credit_account_id, amount, booked_at)
      SELECT ledger_leg_id(id, nr), id, 'POSTED', code, debit, credit, amount, booked_at FROM leg
    ), side AS MATERIALIZED (
      SELECT account_id, sum(debit) AS debit, sum(credit) AS credit
        FROM (SELECT debit AS account_id, amount AS debit, 0 AS credit FROM leg UNION ALL SELECT credit, 0, amount FROM leg) s
       GROUP BY account_id
    ), moved AS (
      UPDATE ledger_account a SET debits_posted = a.debits_posted + s.debit, credits_posted = a.credits_posted + s.credit
        FROM side s WHERE a.id = s.account_id AND a.id = ANY (ARRAY(SELECT account_id FROM side))
    ), cut AS (
      UPDATE lease_slice s SET balance_nano_credit = s.balance_nano_credit - t.amount
        FROM taken t WHERE s.lease_id = t.lease_id AND s.leased_account_id = t.leased_account_id AND (SELECT yes FROM plain)
    ), recorded AS (
      INSERT INTO usage_record (id, startup_id, api_key_id, provider_id, endpoint_id, offering_id, fixing_id, rate_card_id, lease_id, model,
          workload, segment, accelerator, region, period, outcome, prompt_tokens, completion_tokens, usage_bounded, claimed_prompt_tokens,
          claimed_completion_tokens, gpu_nanos, held_nano_credit, charge_nano_credit, accrual_nano_usd, spread_nano_usd, accrual_share_ppm,
          attempts, streamed, ttft_ms, duration_ms, completed_at, request_hash, upstream_hash)
      SELECT f.id, f."startupId", f."apiKeyId", f."providerId", f."endpointId", f."offeringId", f."fixingId", f."rateCardId", f.lease_id, f.model,
             coalesce(f.workload, 'INFERENCE'), coalesce(f.segment, 'UNSPECIFIED'), f.accelerator, f.region, f.booked_period, f.outcome,
             f."promptTokens", f."completionTokens", f."usageBounded", f."claimedPromptTokens", f."claimedCompletionTokens", f."gpuNanos", f.held,
             f.amount, f.accrued, f.release - f.accrued, f."accrualSharePpm", f.attempts, f.streamed, f."ttftMs", f."durationMs", f.at,
             f."requestHash", f."upstreamHash"
        FROM found f WHERE (SELECT yes FROM plain)
    )
    SELECT CASE WHEN (SELECT yes FROM plain)
                THEN json_agg(json_build_object('code', 'CAPTURED', 'charged', f.amount::text, 'spread', (f.release - f.accrued)::text,
                                                'fresh', true) ORDER BY f.ord) END
      INTO answer FROM found f;
    RETURN answer;
  END $$;`;

/** Whatever there is in the batch: repeats, leases that are gone or have too little, charges that meet several lots. */
const long = `
  CREATE FUNCTION metering_capture(charges lease_charge[]) RETURNS json LANGUAGE plpgsql AS $$
  DECLARE
    settled settled_request[];
    answer json;
  BEGIN
    SELECT json_agg(json_build_object('code', c.code, 'charged', c.charged::text, 'spread', c.spread::text, 'fresh', c.fresh) ORDER BY c.ord),
           array_agg(ROW(c.ord, c.id, c.startup_id, c.lease_id, c.rate_card_id, c.held, c.charged, c.spread, c.accrual, c.provider_id,
                         c.period, c.at)::settled_request) FILTER (WHERE c.fresh)
      INTO answer, settled
      FROM ledger_capture(ARRAY(
        SELECT ROW(c.id, c."startupId", c."leaseId", c."rateCardId", c.held, c.at, c.charge, c.accrual, c."providerId", c.period)::capture_request
          FROM unnest(charges) c ORDER BY c.ord)) c;
    PERFORM metering_record(settled, (SELECT json_agg(c) FROM unnest(charges) c));
    RETURN answer;
  END $$;`;

export const captureFunctions: string[] = [types, plain, long];
