/** Takes a word about a payment, whoever it comes from, and moves state and money with it: once, in whatever order words come. */
import type { EntityManager } from "typeorm";
import { Payout } from "../../entities/payout";
import { PayoutAttempt } from "../../entities/payout-attempt";
import type { Outbox } from "../events/outbox";
import type { Ledger } from "../ledger/ledger";
import { movementId } from "./payment-keys";
import { type AttemptState, advanced, movementOf } from "./payout-states";

export interface PaymentWord {
  readonly state: AttemptState;
  readonly code: string | null;
  readonly reason: string | null;
}

/** `payout` and `attempt` as they are now. */
export interface Progress {
  readonly result: "APPLIED" | "STALE" | "UNKNOWN_PAYMENT";
  readonly payout?: Payout;
  readonly attempt?: PayoutAttempt;
}

/** ISO 20022: reason not specified. */
const REASON_UNKNOWN = "MS03";

export class PaymentProgress {
  private readonly ledger: Ledger;
  private readonly outbox: Outbox;

  constructor(dependencies: { ledger: Ledger; outbox: Outbox }) {
    this.ledger = dependencies.ledger;
    this.outbox = dependencies.outbox;
  }

  /** Joins the caller's transaction. */
  async apply(tx: EntityManager, key: string, word: PaymentWord, at: Date): Promise<Progress> {
    const known = await tx.findOneBy(PayoutAttempt, { key });
    if (known === null) return { result: "UNKNOWN_PAYMENT" };
    // Words about one payout take turns; what the attempt was before the lock may be out of date.
    const payout = await tx.findOneOrFail(Payout, {
      where: { id: known.payoutId },
      lock: { mode: "pessimistic_write" },
    });
    const attempt = await tx.findOneByOrFail(PayoutAttempt, { key });
    const state = advanced(attempt.state, word.state);
    if (state === null) return { result: "STALE", payout, attempt };
    const change = changeTo(state, word, at);
    await tx.update(PayoutAttempt, { id: attempt.id }, change);
    // An attempt that can still move is the newest: only a returned one is followed by another.
    const moved = { state, version: payout.version + 1 };
    await tx.update(Payout, { id: payout.id }, moved);
    await this.book(tx, payout, attempt, state, at);
    await this.outbox.append(tx, "payout.changed", payout.providerId, { payoutId: payout.id, change: state });
    return { result: "APPLIED", payout: Object.assign(payout, moved), attempt: Object.assign(attempt, change) };
  }

  /** What an attempt's change of state moves in the ledger; in the transaction of that change. */
  async book(
    tx: EntityManager,
    payout: Pick<Payout, "id" | "statementId">,
    attempt: Pick<PayoutAttempt, "key" | "amountNanoUsd"> & { state: AttemptState | "SCHEDULED" },
    to: AttemptState,
    at: Date,
  ): Promise<void> {
    const movement = movementOf(payout.statementId, attempt.state, to);
    if (movement === null) return;
    const id = movementId(attempt.key, movement.code);
    await this.ledger.post(tx, {
      groupId: payout.id,
      bookedAt: at,
      postings: [{ id, ...movement, amountNano: attempt.amountNanoUsd }],
    });
  }
}

function changeTo(state: AttemptState, { code, reason }: PaymentWord, at: Date): Partial<PayoutAttempt> {
  if (state === "IN_TRANSIT") return { state, inTransitAt: at };
  if (state === "SETTLED") return { state, settledAt: at };
  return { state, returnedAt: at, returnCode: code ?? REASON_UNKNOWN, returnReason: reason };
}
