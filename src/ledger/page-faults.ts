/** The statements by which a run of journal pages is held against the rows that they vouch for. */
import { entryDigest, pageHash, transferDigest } from "../../entities/journal-text";

/** $1–$2: page numbers. Both hashes, so that a page which was altered is told from one whose neighbour was. */
export const pagesStatement = {
  name: "journal-verify-pages",
  text: `SELECT p.number::int AS number, cardinality(p.seqs) AS transfers, encode(p.hash, 'hex') AS hash, encode(${pageHash("p")}, 'hex') AS computed,
                encode(p.previous_hash, 'hex') AS previous
           FROM journal_page p WHERE p.number BETWEEN $1 AND $2 ORDER BY p.number`,
};

/**
 * Rows are found by the range of their page, which begins where the page before ends: a hole in it is a rolled-back
 * transaction, and whatever stands there was put there. A page whose neighbour is missing begins with its own first line.
 */
const scope = `
  WITH page AS MATERIALIZED (
    SELECT p.number::int AS number, p.seqs, p.transfer_ids, p.transfer_digests, p.debit_digests, p.credit_digests,
           CASE WHEN p.number = 1 THEN 1 ELSE coalesce((SELECT o.seqs[cardinality(o.seqs)] + 1 FROM journal_page o WHERE o.number = p.number - 1), p.seqs[1]) END AS first_seq,
           p.seqs[cardinality(p.seqs)] AS last_seq
      FROM journal_page p WHERE p.number BETWEEN $1 AND $2
  ), line AS MATERIALIZED (
    SELECT p.number, u.* FROM page p,
           unnest(p.seqs, p.transfer_ids, p.transfer_digests, p.debit_digests, p.credit_digests) AS u(seq, id, digest, debit_digest, credit_digest)
  )`;

const counters = ["debits_pending", "debits_posted", "credits_pending", "credits_posted"];

/** A row that is where it should be but reads otherwise, that is not there, or that should not be there. */
export const transfersStatement = {
  name: "journal-verify-transfers",
  text: `${scope}, found AS MATERIALIZED (
    SELECT p.number, t.* FROM page p
     CROSS JOIN LATERAL (SELECT t.seq, t.id, ${transferDigest("t")} AS digest FROM transfer t WHERE t.seq BETWEEN p.first_seq AND p.last_seq OFFSET 0) t
  )
  SELECT coalesce(l.number, f.number) AS page, 'transfer ' || coalesce(l.id, f.id) AS subject,
         CASE WHEN l.id IS NULL THEN 'TRANSFER_ADDED'
              WHEN f.id IS NULL AND NOT EXISTS (SELECT FROM transfer t WHERE t.id = l.id) THEN 'TRANSFER_MISSING'
              ELSE 'TRANSFER_ALTERED' END AS kind
    FROM line l FULL JOIN found f ON f.seq = l.seq
   WHERE l.digest IS DISTINCT FROM f.digest
     -- One that was moved to another place in the order is named once, by the line that misses it.
     AND NOT (l.id IS NULL AND EXISTS (SELECT FROM line o WHERE o.id = f.id))
   ORDER BY coalesce(l.seq, f.seq)`,
};

/**
 * An entry is known by its digest, so whichever of its fields was altered, it is the one that matches no line. Those that do
 * match are held against their transfers and against the account's entry before. A line that no entry matches has no kind
 * where the entry is there and was named; it tells whose last entry cannot be trusted.
 */
export const entriesStatement = {
  name: "journal-verify-entries",
  text: `${scope}, expected AS MATERIALIZED (
    SELECT number, seq, id, 'DEBIT' AS side, debit_digest AS digest FROM line
    UNION ALL SELECT number, seq, id, 'CREDIT', credit_digest FROM line
  ), found AS MATERIALIZED (
    SELECT p.number, e.* FROM page p
     CROSS JOIN LATERAL (SELECT e.*, ${entryDigest("e")} AS digest FROM entry e WHERE e.seq BETWEEN p.first_seq AND p.last_seq OFFSET 0) e
  ), pair AS MATERIALIZED (
    SELECT coalesce(x.number, f.number) AS number, coalesce(x.seq, f.seq) AS seq, x.id, x.side AS expected_side, f.account_id, f.version
      FROM expected x FULL JOIN found f ON f.seq = x.seq AND f.digest = x.digest
  ), odd AS MATERIALIZED (
    SELECT o.*, count(*) FILTER (WHERE o.id IS NOT NULL) OVER w AS lines, count(*) FILTER (WHERE o.id IS NULL) OVER w AS rows
      FROM pair o WHERE o.id IS NULL OR o.account_id IS NULL
    WINDOW w AS (PARTITION BY o.seq)
  ), carried AS MATERIALIZED (
    SELECT t.* FROM page p
     CROSS JOIN LATERAL (SELECT t.seq, t.id, t.debit_account_id, t.credit_account_id, t.booked_at,
                                CASE WHEN t.kind IN ('POSTED', 'POST') THEN t.amount ELSE 0 END AS posted
                           FROM transfer t WHERE t.seq BETWEEN p.first_seq AND p.last_seq OFFSET 0) t
  ), follows AS MATERIALIZED (
    SELECT f.*, ${["seq", "version", ...counters].map((column) => `lag(f.${column}) OVER w AS before_${column}`).join(", ")}
      FROM found f WINDOW w AS (PARTITION BY f.account_id ORDER BY f.seq)
  ), followed AS MATERIALIZED (
    SELECT f.number, f.seq, f.account_id, f.transfer_id, f.version, f.side, f.posted, f.pending, f.booked_at, f.digest, ${counters.map((column) => `f.${column}`).join(", ")},
           coalesce(f.before_seq, o.seq) AS before_seq,
           ${["version", ...counters].map((column) => `coalesce(f.before_${column}, o.${column}, 0) AS before_${column}`).join(", ")}
      FROM follows f
      LEFT JOIN LATERAL (SELECT e.* FROM entry e WHERE f.before_seq IS NULL AND e.account_id = f.account_id AND e.seq < f.seq ORDER BY e.seq DESC LIMIT 1) o ON true
  ), wrong AS MATERIALIZED (
    SELECT f.number, f.seq, f.account_id, f.transfer_id, f.digest, f.before_seq, f.version <> f.before_version + 1 AS after_gap
      FROM followed f LEFT JOIN carried t ON t.seq = f.seq
     WHERE f.version <> f.before_version + 1
        OR f.debits_pending <> f.before_debits_pending + CASE f.side WHEN 'DEBIT' THEN f.pending ELSE 0 END
        OR f.debits_posted <> f.before_debits_posted + CASE f.side WHEN 'DEBIT' THEN f.posted ELSE 0 END
        OR f.credits_pending <> f.before_credits_pending + CASE f.side WHEN 'CREDIT' THEN f.pending ELSE 0 END
        OR f.credits_posted <> f.before_credits_posted + CASE f.side WHEN 'CREDIT' THEN f.posted ELSE 0 END
        OR (t.id IS NOT NULL AND (f.transfer_id, f.account_id, f.posted, f.booked_at)
            <> (t.id, CASE f.side WHEN 'DEBIT' THEN t.debit_account_id ELSE t.credit_account_id END, t.posted, t.booked_at))
  )
  SELECT o.number AS page, 'entry ' || o.account_id || '/' || o.seq AS subject, CASE WHEN o.lines > 0 THEN 'ENTRY_ALTERED' ELSE 'ENTRY_ADDED' END AS kind,
         o.account_id AS account, o.seq, NULL AS transfer, NULL AS before, false AS "afterGap"
    FROM odd o WHERE o.id IS NULL
  UNION ALL
  SELECT o.number, 'entry of transfer ' || o.id || ', ' || lower(o.expected_side) || ' side', CASE WHEN o.lines > o.rows THEN 'ENTRY_MISSING' END,
         CASE o.expected_side WHEN 'DEBIT' THEN t.debit_account_id ELSE t.credit_account_id END, o.seq, NULL, NULL, false
    FROM odd o LEFT JOIN transfer t ON t.id = o.id WHERE o.id IS NOT NULL
  UNION ALL
  SELECT w.number, 'entry ' || w.account_id || '/' || w.seq, 'ENTRY_WRONG', w.account_id, w.seq, 'transfer ' || w.transfer_id,
         'entry ' || w.account_id || '/' || w.before_seq, w.after_gap
    FROM wrong w WHERE EXISTS (SELECT FROM expected x WHERE x.seq = w.seq AND x.digest = w.digest)`,
};
