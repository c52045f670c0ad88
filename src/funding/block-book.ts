/** Blocks as the ledger's functions move them, and the figures of what they cover. */
import type { EntityManager } from "typeorm";
import type { Block } from "../../entities/block";

export interface BlockFigures {
  /** How many credit lots it covers. */
  readonly lots: number;
  /** What it keeps from being spent now. */
  readonly blockedNanoCredit: bigint;
  readonly assignedNanoCredit: bigint;
  readonly assignedBackingNanoUsd: bigint;
}

export interface Placed {
  readonly outcome: "ACTIVE" | "FROZEN" | "EXCEEDS" | "REFUSED" | "LIFTED" | "ASSIGNED";
  /** In the covered lots when the block's turn came, and lent to relay processes of them. */
  readonly freeNanoCredit: bigint;
  readonly leasedNanoCredit: bigint;
}

export interface Assigned {
  readonly creditNanoCredit: bigint;
  readonly backingNanoUsd: bigint;
}

interface Answer {
  outcome: Placed["outcome"];
  free: string;
  leased: string;
}

const placedOf = ({ outcome, free, leased }: Answer): Placed => ({
  outcome,
  freeNanoCredit: BigInt(free),
  leasedNanoCredit: BigInt(leased),
});

/** From the commit on nothing new is set aside or lent of what a whole block covers. Last in its transaction: it takes the ledger's lock. */
export async function freezeOrTake(tx: EntityManager, blockId: string, at: Date, tookMs: number): Promise<Placed> {
  const [row]: { answer: Answer }[] = await tx.query("SELECT ledger_place_block($1, $2, $3) AS answer", [
    blockId,
    at,
    Math.round(tookMs),
  ]);
  return placedOf(row!.answer);
}

/** Call it when everything lent has come back. */
export async function settleBlock(tx: EntityManager, blockId: string, at: Date, tookMs: number): Promise<Placed> {
  const [row]: { answer: Answer }[] = await tx.query("SELECT ledger_settle_block($1, $2, $3) AS answer", [
    blockId,
    at,
    Math.round(tookMs),
  ]);
  return placedOf(row!.answer);
}

/** Answers the state that the block was found in. */
export async function liftBlock(tx: EntityManager, blockId: string, by: string, at: Date): Promise<Block["state"]> {
  const [row]: { found: Block["state"] }[] = await tx.query("SELECT ledger_lift_block($1, $2, $3) AS found", [
    blockId,
    by,
    at,
  ]);
  return row!.found;
}

/** Null when the block is not one that can be assigned. A repeat assigns what has come back since. */
export async function assignBlock(
  tx: EntityManager,
  blockId: string,
  by: string | null,
  at: Date,
): Promise<Assigned | null> {
  const [row]: { answer: { outcome: string; credit: string; backing: string } }[] = await tx.query(
    "SELECT ledger_assign_block($1, $2, $3) AS answer",
    [blockId, by, at],
  );
  const { outcome, credit, backing } = row!.answer;
  return outcome === "ASSIGNED" ? { creditNanoCredit: BigInt(credit), backingNanoUsd: BigInt(backing) } : null;
}

/** Whom a block keeps from spending. */
export async function startupsUnder(tx: EntityManager, blockId: string): Promise<string[]> {
  const rows: { id: string }[] = await tx.query(
    `SELECT DISTINCT a.organisation_id AS id FROM block_lot l JOIN ledger_account a ON a.id = l.lot_account_id WHERE l.block_id = $1`,
    [blockId],
  );
  return rows.map(({ id }) => id);
}

export const figuresStatement = {
  name: "funding-block-figures",
  text: `SELECT b.id, count(l.block_id)::int AS lots,
                coalesce(sum(greatest(l.blocked_nano_credit - l.assigned_nano_credit, 0)
                             + CASE WHEN b.amount_nano_credit IS NULL THEN a.credits_posted - a.debits_posted - a.debits_pending ELSE 0 END)
                         FILTER (WHERE b.state IN ('PLACING', 'ACTIVE')), 0) AS blocked,
                coalesce(sum(l.assigned_nano_credit) FILTER (WHERE b.amount_nano_credit IS NULL), 0) AS assigned,
                coalesce(sum(l.assigned_backing_nano_usd), 0) AS backing
           FROM block b
           LEFT JOIN block_lot l ON l.block_id = b.id
           LEFT JOIN ledger_account a ON a.id = l.lot_account_id
          WHERE b.id = ANY ($1) GROUP BY b.id`,
};

export interface FiguresRow {
  id: string;
  lots: number;
  blocked: string;
  assigned: string;
  backing: string;
}

export const figuresOf = ({ lots, blocked, assigned, backing }: FiguresRow): BlockFigures => ({
  lots,
  blockedNanoCredit: BigInt(blocked),
  assignedNanoCredit: BigInt(assigned),
  assignedBackingNanoUsd: BigInt(backing),
});

/** What a process that was killed left undone, and what has come back to lots that were assigned. */
export const unfinishedStatement = {
  name: "funding-blocks-unfinished",
  text: `SELECT b.id, b.state FROM block b WHERE b.state = 'PLACING' AND b.placed_at < $1
          UNION ALL
         SELECT b.id, b.state FROM block b
          WHERE b.state = 'ASSIGNED' AND EXISTS (
                SELECT FROM block_lot l JOIN ledger_account w ON w.id = l.lot_account_id
                  LEFT JOIN ledger_account t ON t.lot_id = w.lot_id AND t.kind = 'BLOCKED'
                 WHERE l.block_id = b.id
                   AND (w.credits_posted - w.debits_posted - w.debits_pending > 0 OR t.credits_posted > t.debits_posted))
          ORDER BY 1 LIMIT 100`,
};
