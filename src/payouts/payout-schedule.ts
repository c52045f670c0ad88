/** Makes one payout of each final statement that fell due, and lets it take along what earlier ones left over. */
import type { EntityManager } from "typeorm";
import { Payout } from "../../entities/payout";
import type { Outbox } from "../events/outbox";
import type { Ledger } from "../ledger/ledger";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { newId } from "../platform/ids";
import { transaction } from "../platform/transaction";
import type { DueStatement, Statements } from "../statements/statements";
import { payableOf } from "./cents";
import { carryId } from "./payment-keys";

interface LeftOver {
  id: string;
  statement_id: string;
  remainder_nano_usd: string;
}

export class PayoutSchedule {
  private readonly db: Database;
  private readonly statements: Pick<Statements, "dueForPayout">;
  private readonly ledger: Ledger;
  private readonly outbox: Outbox;
  private readonly clock: Clock;

  constructor(dependencies: {
    db: Database;
    statements: Pick<Statements, "dueForPayout">;
    ledger: Ledger;
    outbox: Outbox;
    clock: Clock;
  }) {
    this.db = dependencies.db;
    this.statements = dependencies.statements;
    this.ledger = dependencies.ledger;
    this.outbox = dependencies.outbox;
    this.clock = dependencies.clock;
  }

  /** Ids of the new payouts. One that cannot be made does not keep the others back; its fault is told. */
  async scheduleDue(onFault: (fault: unknown) => void): Promise<string[]> {
    const at = this.clock.now();
    const due = await this.statements.dueForPayout(this.db.source.manager, at);
    const scheduled: string[] = [];
    for (const statement of await this.unscheduled(due)) {
      try {
        const id = await transaction(this.db, (tx) => this.schedule(tx, statement, at));
        if (id !== null) scheduled.push(id);
      } catch (fault) {
        onFault(fault);
      }
    }
    return scheduled;
  }

  private async unscheduled(due: readonly DueStatement[]): Promise<DueStatement[]> {
    const rows = await this.db.query<{ statement_id: string }>(
      { name: "payouts-scheduled", text: "SELECT statement_id FROM payout WHERE statement_id = ANY ($1)" },
      [due.map(({ statementId }) => statementId)],
    );
    const scheduled = new Set(rows.map((row) => row.statement_id));
    return due.filter(({ statementId }) => !scheduled.has(statementId));
  }

  /** Null: another run was faster. */
  private async schedule(tx: EntityManager, due: DueStatement, at: Date): Promise<string | null> {
    const leftOver = await lockedLeftOvers(tx, due.providerId);
    const carriedInNanoUsd = leftOver.reduce((sum, row) => sum + BigInt(row.remainder_nano_usd), 0n);
    const payable = payableOf(due.totalNanoUsd + carriedInNanoUsd);
    const payout: Payout = {
      id: newId(),
      statementId: due.statementId,
      providerId: due.providerId,
      period: due.period,
      state: payable.amountNanoUsd === 0n ? "CARRIED" : "SCHEDULED",
      ...payable,
      carriedInNanoUsd,
      carriedToId: null,
      attempt: 0,
      dueAt: due.dueAt,
      scheduledAt: at,
      frozenAt: null,
      frozenReason: null,
      version: 1,
    };
    const { raw } = await tx
      .createQueryBuilder()
      .insert()
      .into(Payout)
      .values(payout)
      .orIgnore()
      .returning("id")
      .execute();
    if ((raw as unknown[]).length === 0) return null;
    if (leftOver.length > 0) await this.carry(tx, leftOver, payout, at);
    const { id, state } = payout;
    await this.outbox.append(tx, "payout.changed", payout.providerId, {
      payoutId: id,
      change: state === "CARRIED" ? state : "SCHEDULED",
    });
    return id;
  }

  /** The dollars go where they will be paid from, so that a payout never takes more than its own statement holds. */
  private async carry(tx: EntityManager, leftOver: readonly LeftOver[], payout: Payout, at: Date): Promise<void> {
    await tx.query("UPDATE payout SET carried_to_id = $1, version = version + 1 WHERE id = ANY ($2)", [
      payout.id,
      leftOver.map(({ id }) => id),
    ]);
    await this.ledger.post(tx, {
      groupId: payout.id,
      bookedAt: at,
      postings: leftOver.map((row) => ({
        id: carryId(row.statement_id),
        code: "STATEMENT",
        debit: `statement:${row.statement_id}`,
        credit: `statement:${payout.statementId}`,
        amountNano: BigInt(row.remainder_nano_usd),
      })),
    });
  }
}

/** Locked, so that of two payouts that are made at once one alone takes them along. */
function lockedLeftOvers(tx: EntityManager, providerId: string): Promise<LeftOver[]> {
  return tx.query(
    `SELECT id, statement_id, remainder_nano_usd FROM payout
      WHERE provider_id = $1 AND remainder_nano_usd > 0 AND carried_to_id IS NULL ORDER BY id FOR UPDATE`,
    [providerId],
  );
}
