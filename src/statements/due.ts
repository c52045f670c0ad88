/** The final statements that fell due: what payouts start from. */
import { type EntityManager, LessThanOrEqual, MoreThan } from "typeorm";
import { Statement } from "../../entities/statement";

/** The ledger account `statement:{statementId}` holds what is owed. */
export interface DueStatement {
  readonly statementId: string;
  readonly providerId: string;
  /** `YYYY-MM`, UTC. */
  readonly period: string;
  readonly totalNanoUsd: bigint;
  readonly dueAt: Date;
}

/** Final, due at `at` or before, and worth something; the oldest first. Whether one was paid already is the caller's to know. */
export async function dueStatements(tx: EntityManager, at: Date): Promise<DueStatement[]> {
  const rows = await tx.find(Statement, {
    where: { state: "FINAL", dueAt: LessThanOrEqual(at), totalNanoUsd: MoreThan(0n) },
    order: { dueAt: "ASC", id: "ASC" },
  });
  return rows.map(({ id, providerId, period, totalNanoUsd, dueAt }) => ({
    statementId: id,
    providerId,
    period,
    totalNanoUsd,
    dueAt,
  }));
}
