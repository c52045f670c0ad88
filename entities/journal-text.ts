/** The canonical text of what the journal vouches for, as SQL: what a digest or a page's hash is the SHA-256 of. */

/**
 * Format 1. It is part of every hash that was ever written, and of migration 0018: it is never changed. Another format
 * would stand beside it, under another number. Fields are parted by bars, instants are microseconds since 1970, what is
 * null is empty. The writer and the verifier spell it out in their own statements instead of calling a stored function,
 * which whoever alters rows could alter too.
 */
const text = (...fields: readonly string[]): string =>
  `pg_catalog.convert_to(pg_catalog.concat_ws('|', ${fields.join(", ")}), 'UTF8')`;

const micros = (instant: string): string => `(EXTRACT(epoch FROM ${instant}) * 1000000)::bigint`;

/** `t` is the alias of a row of `transfer`. */
export const transferDigest = (t: string): string =>
  `pg_catalog.sha256(${text(
    "'transfer 1'",
    ...["seq", "id", "group_id", "kind", "code", "debit_account_id", "credit_account_id", "amount"].map(
      (column) => `${t}.${column}`,
    ),
    `coalesce(${t}.pending_id::text, '')`,
    micros(`${t}.booked_at`),
    micros(`${t}.recorded_at`),
  )})`;

/** `e` is the alias of a row of `entry`. */
export const entryDigest = (e: string): string =>
  `pg_catalog.sha256(${text(
    "'entry 1'",
    ...["account_id", "version", "seq", "transfer_id", "group_id", "code", "side", "posted", "pending"].map(
      (column) => `${e}.${column}`,
    ),
    ...["debits_pending", "debits_posted", "credits_pending", "credits_posted"].map((column) => `${e}.${column}`),
    micros(`${e}.booked_at`),
    micros(`${e}.recorded_at`),
  )})`;

/** `p` is the alias of a row of `journal_page`. Digests stand in hexadecimal, each with a leading `\x`. */
export const pageHash = (p: string): string =>
  `pg_catalog.sha256(${p}.previous_hash || ${text(
    "'page 1'",
    `${p}.number`,
    `${p}.first_seq`,
    `${p}.last_seq`,
    `${p}.transfers`,
    ...["booked_from", "booked_to", "booked_high", "recorded_high", "written_at"].map((column) =>
      micros(`${p}.${column}`),
    ),
    ...["seqs", "transfer_ids", "transfer_digests", "debit_digests", "credit_digests"].map(
      (column) => `pg_catalog.array_to_string(${p}.${column}, ',')`,
    ),
  )})`;
