/** Writes up transfers in pages: entries with running balances, and a chain of hashes that shows later changes. */
import type { Database } from "../platform/database";

/** A page's statement is one transaction: it stays far below a second, and what it sorts stays in memory. */
export const PAGE_TRANSFERS_MAX = 5_000;

export interface JournalHead {
  /** 0: nothing has been written up. */
  readonly number: number;
  readonly hash: string;
  /** Up to where transfers are written up. */
  readonly seq: bigint;
  /** Transfers that wait to be. */
  readonly waiting: number;
}

export class Journal {
  private readonly db: Database;
  /** As of the last look at it in this process. */
  waiting = 0;

  constructor(dependencies: { db: Database }) {
    this.db = dependencies.db;
  }

  /** Writes until nothing is left that had been committed when it began. Several processes may: they take turns. → how many transfers. */
  async write(pageTransfersMax = PAGE_TRANSFERS_MAX): Promise<number> {
    this.waiting = (await this.head()).waiting;
    let written = 0;
    while (written < this.waiting) {
      const [row] = await this.db.query<{ count: number }>(
        { name: "journal-append", text: "SELECT journal_append($1) AS count" },
        [pageTransfersMax],
      );
      if (row!.count === 0) break;
      written += row!.count;
    }
    this.waiting = Math.max(0, this.waiting - written);
    return written;
  }

  async head(): Promise<JournalHead> {
    const [row] = await this.db.query<{ number: string; hash: string; seq: string; waiting: string }>(
      {
        name: "journal-head",
        text: `WITH head AS (
                 SELECT p.number, encode(p.hash, 'hex') AS hash, p.last_seq AS seq FROM journal_page p
                 UNION ALL SELECT 0, '', 0 ORDER BY number DESC LIMIT 1)
               SELECT h.*, (SELECT count(*) FROM transfer t WHERE t.seq > h.seq) AS waiting FROM head h`,
      },
      [],
    );
    const { number, hash, seq, waiting } = row!;
    return { number: Number(number), hash, seq: BigInt(seq), waiting: Number(waiting) };
  }
}
