/** A statement's way from draft to final: opened for review when it matches, disputed and answered, owed in the end. */
import { type EntityManager, LessThanOrEqual } from "typeorm";
import { Statement } from "../../entities/statement";
import { StatementDispute } from "../../entities/statement-dispute";
import type { Outbox } from "../events/outbox";
import type { Ledger } from "../ledger/ledger";
import { DomainError, notFound } from "../platform/errors";
import { newId } from "../platform/ids";
import { existingId } from "../platform/input";
import { requireMatch } from "./matching";
import { owedBy, payableOf, statementAccount } from "./postings";
import { nextState, type StatementAct } from "./statement-states";

const DAY_MS = 86_400_000;

export const reviewEnd = (at: Date, reviewDays: number): Date => new Date(at.getTime() + reviewDays * DAY_MS);

/** Locked until commit, so that an approval and a dispute at once are one after the other. Errors: NOT_FOUND. */
export async function lockedStatement(tx: EntityManager, id: string): Promise<Statement> {
  const statement = await tx.findOne(Statement, {
    where: { id: existingId(id, "statement") },
    lock: { mode: "pessimistic_write" },
  });
  if (statement === null) throw notFound("statement", "id");
  return statement;
}

/** Writes down what an act changes about it, and tells of it. Errors: STATE_CONFLICT. */
export async function move(
  tx: EntityManager,
  statement: Statement,
  act: StatementAct,
  { outbox, ...change }: { outbox: Outbox } & Partial<Statement>,
): Promise<Statement> {
  const after = { ...change, state: nextState(statement.state, act), version: statement.version + 1 };
  await tx.update(Statement, { id: statement.id }, after);
  await outbox.append(tx, "statement.changed", statement.providerId, { statementId: statement.id });
  return { ...statement, ...after };
}

/** Errors: STATE_CONFLICT, STATEMENT_MISMATCH. */
export async function openReview(
  tx: EntityManager,
  id: string,
  { outbox, at, reviewDays }: { outbox: Outbox; at: Date; reviewDays: number },
): Promise<Statement> {
  const statement = await lockedStatement(tx, id);
  nextState(statement.state, "OPEN_REVIEW");
  await requireMatch(tx, statement);
  return move(tx, statement, "OPEN_REVIEW", { outbox, reviewEndsAt: reviewEnd(at, reviewDays) });
}

/**
 * Owes the provider the total from now on: one transfer from the month's payable to the statement's own account.
 * Errors: STATE_CONFLICT (not under review, neither approved nor silent long enough), STATEMENT_MISMATCH.
 */
export async function finalise(
  tx: EntityManager,
  id: string,
  { outbox, ledger, at }: { outbox: Outbox; ledger: Ledger; at: Date },
): Promise<[Statement, Statement]> {
  const statement = await lockedStatement(tx, id);
  nextState(statement.state, "FINALISE");
  const { providerId, period, totalNanoUsd, approvedAt, reviewEndsAt } = statement;
  if (approvedAt === null && reviewEndsAt! > at) {
    throw new DomainError("STATE_CONFLICT", `Its provider may object until ${reviewEndsAt!.toISOString()}.`);
  }
  await requireMatch(tx, statement);
  await ledger.openAccount(tx, statementAccount(id, providerId, period));
  // Nothing to pay, nothing to move; what a credit note could not take is on the next statement.
  if (totalNanoUsd > 0n) {
    const transfer = { id: newId(), code: "STATEMENT" as const, amountNano: totalNanoUsd };
    const postings = [{ ...transfer, debit: payableOf(providerId, period), credit: owedBy(id) }];
    await ledger.post(tx, { groupId: id, bookedAt: at, postings });
  }
  return [statement, await move(tx, statement, "FINALISE", { outbox, finalisedAt: at })];
}

/** Those that the provider approved, or said nothing about until the review's end. */
export async function finalisable(tx: EntityManager, at: Date): Promise<string[]> {
  const rows = await tx
    .createQueryBuilder(Statement, "s")
    .select("s.id", "id")
    .where("s.state = 'IN_REVIEW' AND (s.reviewEndsAt <= :at OR s.approvedAt IS NOT NULL)", { at })
    .orderBy("s.id")
    .getRawMany<{ id: string }>();
  return rows.map(({ id }) => id);
}

export const openDisputes = (tx: EntityManager, statementId: string): Promise<number> =>
  tx.countBy(StatementDispute, { statementId, state: "OPEN" });

/** Drafts that wait for their match. */
export async function drafts(tx: EntityManager, at: Date): Promise<string[]> {
  const rows = await tx.find(Statement, {
    where: { state: "DRAFT", draftedAt: LessThanOrEqual(at) },
    order: { id: "ASC" },
  });
  return rows.map(({ id }) => id);
}
