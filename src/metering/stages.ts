/** Charges a hold that lives for longer than a request, part by part: what a stage leaves stays set aside, on the same lots. */
import type { EntityManager } from "typeorm";
import { DomainError } from "../platform/errors";
import type { UsageMembers } from "./commit-items";
import type { Delivery } from "./metering";

export interface StageSettlement {
  readonly gpuNanos: bigint;
  readonly chargedNanoCredit: bigint;
  /** What the next hold carries; 0 when nothing was left, and there is none. */
  readonly carriedNanoCredit: bigint;
}

export interface StageTerms {
  readonly at: Date;
  readonly gpuNanos: bigint;
  readonly period: string;
  readonly charge: string;
  readonly accrual: string;
  readonly usage: UsageMembers;
  readonly nextHoldId: string | null;
}

interface StageAnswer {
  readonly code: "CAPTURED" | "VOIDED" | "EXPIRED" | "HOLD_NOT_FOUND" | "HOLD_NOT_OPEN";
  readonly charged: string;
  readonly carried: string;
}

/** One booking, with whatever else the caller's transaction writes. Errors: SETTLEMENT_REFUSED. */
export async function chargeStage(
  tx: EntityManager,
  delivery: Delivery,
  { gpuNanos, usage, ...terms }: StageTerms,
): Promise<StageSettlement> {
  const { requestId: holdId, providerId } = delivery;
  const answer = await book(tx, {
    ...terms,
    holdId,
    providerId,
    resolution: "CAPTURED",
    usage: { ord: 1, ...usage },
  });
  if (answer.code !== "CAPTURED") throw lost();
  return { gpuNanos, chargedNanoCredit: BigInt(answer.charged), carriedNanoCredit: BigInt(answer.carried) };
}

/** Errors: SETTLEMENT_REFUSED. */
export async function voidStage(tx: EntityManager, holdId: string, at: Date): Promise<void> {
  const { code } = await book(tx, { holdId, resolution: "VOIDED", at });
  if (code !== "VOIDED") throw lost();
}

/** Its expiry is no balance: it says when the sweep may take it. Errors: SETTLEMENT_REFUSED. */
export async function prolongHold(tx: EntityManager, holdId: string, until: Date): Promise<void> {
  const [, touched] = await tx.query("UPDATE hold SET expires_at = $2 WHERE id = $1 AND state = 'HELD'", [
    holdId,
    until,
  ]);
  if (touched !== 1) throw lost();
}

async function book(tx: EntityManager, stage: Readonly<Record<string, unknown>>): Promise<StageAnswer> {
  const [row] = await tx.query("SELECT metering_stage($1) AS answer", [JSON.stringify(stage)]);
  return row.answer;
}

function lost(): DomainError {
  return new DomainError("SETTLEMENT_REFUSED", "The hold of this job was released before it could be settled.");
}
