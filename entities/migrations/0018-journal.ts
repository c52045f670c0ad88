/** The journal: entries with running balances, pages chained by hash, history that only grows, and the closing of months. */
import type { MigrationInterface, QueryRunner } from "typeorm";
import { entryDigest, pageHash, transferDigest } from "../journal-text";
import { operatorsOnly, rowPolicies, TENANT, TENANT_ROLE } from "../row-policies";

const tables = `
  CREATE TABLE entry (
    account_id uuid NOT NULL,
    seq bigint NOT NULL,
    version bigint NOT NULL,
    transfer_id uuid NOT NULL,
    group_id uuid NOT NULL,
    code text NOT NULL,
    side text NOT NULL,
    posted bigint NOT NULL,
    pending bigint NOT NULL,
    debits_pending bigint NOT NULL,
    debits_posted bigint NOT NULL,
    credits_pending bigint NOT NULL,
    credits_posted bigint NOT NULL,
    booked_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT entry_movement_check CHECK (posted >= 0 AND (posted > 0 OR pending <> 0)),
    CONSTRAINT entry_side_check CHECK (side IN ('DEBIT','CREDIT')),
    CONSTRAINT entry_pkey PRIMARY KEY (account_id, seq)
  );
  CREATE INDEX entry_seq ON entry (seq);
  CREATE TABLE journal_page (
    number bigint NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    transfers integer NOT NULL,
    booked_from timestamptz NOT NULL,
    booked_to timestamptz NOT NULL,
    booked_high timestamptz NOT NULL,
    recorded_high timestamptz NOT NULL,
    seqs bigint[] NOT NULL,
    transfer_ids uuid[] NOT NULL,
    transfer_digests bytea[] NOT NULL,
    debit_digests bytea[] NOT NULL,
    credit_digests bytea[] NOT NULL,
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL,
    written_at timestamptz NOT NULL,
    CONSTRAINT journal_page_pkey PRIMARY KEY (number)
  );
  CREATE INDEX journal_page_booked ON journal_page (booked_high);
  CREATE INDEX journal_page_recorded ON journal_page (recorded_high);
  -- Digests do not compress: trying to was a tenth of the writer's time.
  ALTER TABLE journal_page ALTER transfer_digests SET STORAGE EXTERNAL, ALTER debit_digests SET STORAGE EXTERNAL,
    ALTER credit_digests SET STORAGE EXTERNAL;`;

/**
 * Writes up the next transfers, at most so many, in one page → how many. One writer at a time: the lock. No lock against
 * the ledger's writers is needed: they hold theirs from before they draw a seq until after their commit is visible, so
 * whoever sees a transfer sees all of lower seq that will ever be. A hole is one that was rolled back.
 *
 * Plans must not depend on how small the tables were when a connection first planned: no sequential scans, look-ups
 * behind OFFSET 0, as in migration 0011; and no nested loops over what was just computed, of which the planner expects a
 * few rows and gets ten thousand.
 */
const append = (schema: string) => `
  CREATE FUNCTION journal_append(transfers_max integer) RETURNS integer
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${schema}, pg_temp SET enable_seqscan = off SET enable_nestloop = off
    SET plan_cache_mode = force_generic_plan SET jit = off SET bytea_output = hex AS $$
  DECLARE
    since bigint;
    upto bigint;
    written integer;
  BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('exergy.journal'));
    since := coalesce((SELECT p.last_seq FROM journal_page p ORDER BY p.number DESC LIMIT 1), 0);
    SELECT max(n.seq), count(*) INTO upto, written
      FROM (SELECT t.seq FROM transfer t WHERE t.seq > since ORDER BY t.seq LIMIT transfers_max) n;
    IF written = 0 THEN RETURN 0; END IF;

    WITH moved AS MATERIALIZED (
      SELECT t.*, CASE WHEN t.kind IN ('POSTED', 'POST') THEN t.amount ELSE 0 END AS posted,
             CASE t.kind WHEN 'PENDING' THEN t.amount WHEN 'POSTED' THEN 0 ELSE -p.amount END AS pending, ${transferDigest("t")} AS digest
        FROM transfer t
        LEFT JOIN LATERAL (SELECT o.amount FROM transfer o WHERE o.id = t.pending_id OFFSET 0) p ON true
       WHERE t.seq > since AND t.seq <= upto
    ), side AS MATERIALIZED (
      SELECT debit_account_id AS account_id, 'DEBIT' AS side, m.* FROM moved m
      UNION ALL SELECT credit_account_id, 'CREDIT', m.* FROM moved m
    ), before AS MATERIALIZED (
      SELECT a.account_id, coalesce(l.version, 0) AS version, coalesce(l.debits_pending, 0) AS debits_pending,
             coalesce(l.debits_posted, 0) AS debits_posted, coalesce(l.credits_pending, 0) AS credits_pending,
             coalesce(l.credits_posted, 0) AS credits_posted
        FROM (SELECT DISTINCT s.account_id FROM side s) a
        LEFT JOIN LATERAL (SELECT e.* FROM entry e WHERE e.account_id = a.account_id ORDER BY e.seq DESC LIMIT 1) l ON true
    ), made AS MATERIALIZED (
      SELECT s.account_id, s.seq, b.version + row_number() OVER w AS version, s.id AS transfer_id, s.group_id, s.code, s.side, s.posted, s.pending,
             (b.debits_pending + coalesce(sum(s.pending) FILTER (WHERE s.side = 'DEBIT') OVER w, 0))::bigint AS debits_pending,
             (b.debits_posted + coalesce(sum(s.posted) FILTER (WHERE s.side = 'DEBIT') OVER w, 0))::bigint AS debits_posted,
             (b.credits_pending + coalesce(sum(s.pending) FILTER (WHERE s.side = 'CREDIT') OVER w, 0))::bigint AS credits_pending,
             (b.credits_posted + coalesce(sum(s.posted) FILTER (WHERE s.side = 'CREDIT') OVER w, 0))::bigint AS credits_posted,
             s.booked_at, s.recorded_at
        FROM side s JOIN before b ON b.account_id = s.account_id
      WINDOW w AS (PARTITION BY s.account_id ORDER BY s.seq)
    ), entered AS (
      INSERT INTO entry (account_id, seq, version, transfer_id, group_id, code, side, posted, pending,
                         debits_pending, debits_posted, credits_pending, credits_posted, booked_at, recorded_at)
      SELECT * FROM made
    ), page AS MATERIALIZED (
      SELECT coalesce(p.number, 0) + 1 AS number, t.*, e.*, greatest(p.booked_high, t.booked_to) AS booked_high,
             greatest(p.recorded_high, t.recorded_to) AS recorded_high, coalesce(p.hash, '\\x${"00".repeat(32)}') AS previous_hash,
             clock_timestamp() AS written_at
        FROM (SELECT min(m.seq) AS first_seq, max(m.seq) AS last_seq, count(*)::integer AS transfers, min(m.booked_at) AS booked_from,
                     max(m.booked_at) AS booked_to, max(m.recorded_at) AS recorded_to, array_agg(m.seq ORDER BY m.seq) AS seqs,
                     array_agg(m.id ORDER BY m.seq) AS transfer_ids, array_agg(m.digest ORDER BY m.seq) AS transfer_digests
                FROM moved m) t
       CROSS JOIN (SELECT array_agg(${entryDigest("d")} ORDER BY d.seq) FILTER (WHERE d.side = 'DEBIT') AS debit_digests,
                          array_agg(${entryDigest("d")} ORDER BY d.seq) FILTER (WHERE d.side = 'CREDIT') AS credit_digests
                     FROM made d) e
        LEFT JOIN (SELECT o.number, o.booked_high, o.recorded_high, o.hash FROM journal_page o ORDER BY o.number DESC LIMIT 1) p ON true
    )
    INSERT INTO journal_page (number, first_seq, last_seq, transfers, booked_from, booked_to, booked_high, recorded_high, seqs, transfer_ids,
                              transfer_digests, debit_digests, credit_digests, previous_hash, hash, written_at)
    SELECT number, first_seq, last_seq, transfers, booked_from, booked_to, booked_high, recorded_high, seqs, transfer_ids,
           transfer_digests, debit_digests, credit_digests, previous_hash, ${pageHash("page")}, written_at FROM page;
    RETURN written;
  END $$;
  REVOKE EXECUTE ON FUNCTION journal_append(integer) FROM PUBLIC;`;

/** Refused to everybody, the owner too; what a superuser does all the same is what the journal's digests are for. */
const history = `
  CREATE FUNCTION history_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    RAISE EXCEPTION '% is append-only: what was wrong is set right by another row', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
  END $$;
  ${["transfer", "entry", "journal_page", "usage_record", "accounting_period"]
    .map(
      (table) => `
  CREATE TRIGGER ${table}_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION history_is_final();
  REVOKE UPDATE, DELETE, TRUNCATE ON ${table} FROM CURRENT_USER;`,
    )
    .join("")}`;

/** Under the ledger's lock: what is being posted lands before the month closes, and what comes after it finds the month closed. */
const closing = (schema: string) => `
  CREATE FUNCTION ledger_next_period() RETURNS text
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
    SELECT to_char(coalesce((SELECT (max(c.period) || '-01')::timestamp + interval '1 month' FROM accounting_period c),
             least((SELECT min(p.booked_from) FROM journal_page p),
                   (SELECT min(t.booked_at) FROM transfer t
                     WHERE t.seq > coalesce((SELECT max(p.last_seq) FROM journal_page p), 0))) AT TIME ZONE 'UTC'), 'YYYY-MM')
  $$;
  -- null: closed now; otherwise why not, and which month would be next.
  CREATE FUNCTION ledger_close_period(wanted text, by_whom uuid, at timestamptz, OUT refusal text, OUT next text)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
  BEGIN
    IF NOT acting_may_post() THEN
      RAISE EXCEPTION 'months are closed by operators' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM ledger_lock();
    next := ledger_next_period();
    refusal := CASE WHEN EXISTS (SELECT FROM accounting_period c WHERE c.period >= wanted) THEN 'CLOSED'
                    WHEN next < wanted THEN 'EARLIER_OPEN'
                    WHEN wanted >= to_char(at AT TIME ZONE 'UTC', 'YYYY-MM') THEN 'NOT_OVER' END;
    IF refusal IS NULL THEN
      INSERT INTO accounting_period (period, closed_at, closed_by) VALUES (wanted, at, by_whom);
    END IF;
  END $$;
  DROP POLICY accounting_period_insert ON accounting_period;
  REVOKE INSERT ON accounting_period FROM ${TENANT_ROLE};
  REVOKE EXECUTE ON FUNCTION ledger_next_period(), ledger_close_period(text, uuid, timestamptz) FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION ledger_next_period(), ledger_close_period(text, uuid, timestamptz) TO ${TENANT_ROLE};`;

/** An organisation's own accounts, and a capital partner's facilities; not the wallets that its facilities funded. */
const entries = rowPolicies("entry", {
  sees: `account_id IN (SELECT a.id FROM ledger_account a WHERE a.organisation_id = ${TENANT}
      OR (a.organisation_id IS NULL AND a.facility_id IN (SELECT f.id FROM facility f)))`,
  changes: "false",
});

export class Journal implements MigrationInterface {
  readonly name = "journal-1763900000018";

  async up(runner: QueryRunner): Promise<void> {
    const [{ schema }] = await runner.query("SELECT quote_ident(current_schema()) AS schema");
    const statements = [tables, append(schema), history, closing(schema), entries, operatorsOnly("journal_page")];
    for (const statement of statements) await runner.query(statement);
  }

  async down(): Promise<void> {
    throw new Error("Migrations go forward only: restore a backup, or write the next one.");
  }
}
