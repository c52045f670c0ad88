/** What a provider objects to, line by line, and what an operator answers; and corrections of what is final already. */
import type { EntityManager } from "typeorm";
import { z } from "zod";
import { CreditNote } from "../../entities/credit-note";
import type { Statement } from "../../entities/statement";
import { StatementDispute } from "../../entities/statement-dispute";
import { StatementLine } from "../../entities/statement-line";
import type { Outbox } from "../events/outbox";
import type { Ledger } from "../ledger/ledger";
import { DomainError, notFound } from "../platform/errors";
import { newId } from "../platform/ids";
import { checked, existingId, line } from "../platform/input";
import { book } from "./draft";
import { decidedLine } from "./lines";
import { lockedStatement, move, openDisputes, reviewEnd } from "./review";

export interface NewDispute {
  readonly lineId: string;
  readonly reason: string;
}

export interface Answer {
  readonly disputeId: string;
  readonly outcome: "UPHELD" | "DISMISSED";
  readonly answer: string;
  /** What an upheld one adds to the statement, or takes from it when negative; null when it is dismissed. */
  readonly creditNanoUsd: bigint | null;
}

export interface Correction {
  readonly statementId: string;
  /** Negative: the provider gives back. */
  readonly amountNanoUsd: bigint;
  readonly reason: string;
}

const words = z.object({ text: line(1_000) });
const CORRECTION_NANO_USD_MAX = 1_000_000_000_000_000_000n;

/** Errors: NOT_FOUND (a line of nobody's, or of another's), STATE_CONFLICT (not under review, review over, disputed already). */
export async function openDispute(
  tx: EntityManager,
  { lineId, reason }: NewDispute,
  { outbox, at, by, owns }: { outbox: Outbox; at: Date; by: string; owns: (statement: Statement) => boolean },
): Promise<StatementDispute> {
  const { text } = checked(words, { text: reason });
  const line = await tx.findOneBy(StatementLine, { id: existingId(lineId, "statement line") });
  if (line === null) throw notFound("statement line", "lineId");
  const statement = await lockedStatement(tx, line.statementId);
  if (!owns(statement)) throw notFound("statement line", "lineId");
  if (statement.approvedAt !== null) throw new DomainError("STATE_CONFLICT", "The statement is approved.");
  if (statement.state === "IN_REVIEW" && statement.reviewEndsAt! <= at) {
    throw new DomainError("STATE_CONFLICT", `Its review ended at ${statement.reviewEndsAt!.toISOString()}.`);
  }
  if (await tx.existsBy(StatementDispute, { lineId: line.id, state: "OPEN" })) {
    throw new DomainError("STATE_CONFLICT", "This line is disputed already.");
  }
  await move(tx, statement, "DISPUTE", { outbox });
  const dispute: StatementDispute = {
    id: newId(),
    statementId: statement.id,
    lineId: line.id,
    providerId: statement.providerId,
    state: "OPEN",
    reason: text,
    openedAt: at,
    openedBy: by,
    answer: null,
    creditNanoUsd: null,
    resolvedAt: null,
    resolvedBy: null,
  };
  await tx.insert(StatementDispute, dispute);
  return dispute;
}

/**
 * Upheld, it puts a credit note on the statement, which is not final yet. The last answer opens a review of full length
 * again, so that the provider can read it. Errors: NOT_FOUND, STATE_CONFLICT, BAD_USER_INPUT.
 */
export async function answerDispute(
  tx: EntityManager,
  answer: Answer,
  dependencies: { outbox: Outbox; ledger: Ledger; at: Date; by: string; reviewDays: number },
): Promise<[StatementDispute, Statement]> {
  const { outbox, ledger, at, by, reviewDays } = dependencies;
  const { text } = checked(words, { text: answer.answer });
  const found = await tx.findOneBy(StatementDispute, { id: existingId(answer.disputeId, "dispute") });
  if (found === null) throw notFound("dispute", "disputeId");
  const statement = await lockedStatement(tx, found.statementId);
  const dispute = await tx.findOneByOrFail(StatementDispute, { id: found.id });
  if (dispute.state !== "OPEN") throw new DomainError("STATE_CONFLICT", `The dispute is ${dispute.state}.`);
  checkCredit(answer, statement);
  const resolved = {
    state: answer.outcome,
    answer: text,
    creditNanoUsd: answer.creditNanoUsd,
    resolvedAt: at,
    resolvedBy: by,
  };
  await tx.update(StatementDispute, { id: dispute.id }, resolved);
  const { creditNanoUsd } = answer;
  if (creditNanoUsd !== null) {
    const note = decidedLine("CREDIT_NOTE", { id: dispute.id, amountNanoUsd: creditNanoUsd, reason: text });
    await book(tx, statement, { lines: [note], at }, ledger);
  }
  const last = (await openDisputes(tx, statement.id)) === 0;
  const after = await move(tx, statement, last ? "ANSWER_LAST" : "ANSWER", {
    outbox,
    totalNanoUsd: statement.totalNanoUsd + (creditNanoUsd ?? 0n),
    ...(last ? { reviewEndsAt: reviewEnd(at, reviewDays) } : {}),
  });
  return [{ ...dispute, ...resolved }, after];
}

function checkCredit({ outcome, creditNanoUsd }: Answer, { totalNanoUsd }: Statement): void {
  const field = "credit";
  if (outcome === "DISMISSED" && creditNanoUsd !== null) {
    throw new DomainError("BAD_USER_INPUT", "credit: a dismissed dispute has none", { field });
  }
  if (outcome === "DISMISSED") return;
  if (creditNanoUsd === null || creditNanoUsd === 0n) {
    throw new DomainError("BAD_USER_INPUT", "credit: say what an upheld dispute changes", { field });
  }
  if (creditNanoUsd > CORRECTION_NANO_USD_MAX || totalNanoUsd + creditNanoUsd < 0n) {
    throw new DomainError("BAD_USER_INPUT", "credit: may not take more than the statement's total", { field });
  }
}

/** Of a final statement, which never changes itself: it goes on the provider's next one. Errors: NOT_FOUND, STATE_CONFLICT, BAD_USER_INPUT. */
export async function writeCreditNote(
  tx: EntityManager,
  { statementId, amountNanoUsd, reason }: Correction,
  { id, at, by }: { id: string; at: Date; by: string },
): Promise<CreditNote> {
  const { text } = checked(words, { text: reason });
  if (amountNanoUsd === 0n || amountNanoUsd > CORRECTION_NANO_USD_MAX || amountNanoUsd < -CORRECTION_NANO_USD_MAX) {
    throw new DomainError("BAD_USER_INPUT", "amount: must not be 0, and at most a billion USD either way", {
      field: "amount",
    });
  }
  const statement = await lockedStatement(tx, statementId);
  if (statement.state !== "FINAL") {
    throw new DomainError("STATE_CONFLICT", `The statement is ${statement.state}: answer a dispute of it instead.`);
  }
  const note: CreditNote = {
    id,
    providerId: statement.providerId,
    statementId: statement.id,
    amountNanoUsd,
    remainingNanoUsd: amountNanoUsd,
    reason: text,
    createdAt: at,
    createdBy: by,
  };
  await tx.insert(CreditNote, note);
  return note;
}
