/** What operators do about single payouts: hold, release, approve, tell what became of one, try again. */
import type { EntityManager } from "typeorm";
import { z } from "zod";
import { Payout } from "../../entities/payout";
import { PayoutApproval } from "../../entities/payout-approval";
import { PayoutAttempt } from "../../entities/payout-attempt";
import type { PayoutChange, PayoutOutcome, PayoutState } from "../../schema/enums";
import { checkIdempotencyKey, claimKey } from "../accounts/idempotency";
import { requireKind, type Viewer } from "../accounts/viewer";
import { type Change, recordAct } from "../audit/audit";
import type { Outbox } from "../events/outbox";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError, notFound } from "../platform/errors";
import { newId } from "../platform/ids";
import { checked, checkVersion, existingId, line } from "../platform/input";
import { transaction } from "../platform/transaction";
import { type PayoutRules, standingsOf } from "./payability";
import type { PaymentProgress } from "./payment-progress";
import { nextPayoutStates } from "./payout-states";
import { actorOf } from "./two-people";

export interface SeenOutcome {
  readonly id: string;
  readonly outcome: PayoutOutcome;
  /** ISO 20022, of a return. */
  readonly code?: string | null | undefined;
  readonly reason?: string | null | undefined;
}

export interface PayoutActsDependencies {
  readonly db: Database;
  readonly clock: Clock;
  readonly outbox: Outbox;
  readonly progress: PaymentProgress;
  readonly rules: PayoutRules;
}

const reasonField = z.object({ reason: line(500) });
const outcomeFields = z.object({
  code: z
    .string()
    .regex(/^[A-Z0-9]{4}$/, "is an ISO 20022 reason of four characters, e.g. AC04")
    .nullish(),
  reason: line(500).nullish(),
});

export class PayoutActs {
  constructor(private readonly dependencies: PayoutActsDependencies) {}

  /** Only what has not left can be held, or what came back. A repeat changes nothing. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT, VERSION_CONFLICT, STATE_CONFLICT. */
  async hold(viewer: Viewer | null, id: string, reason: string, expectedVersion?: number | null): Promise<Payout> {
    const known = requireKind(viewer, "WRITE", "OPERATOR");
    const frozenReason = checked(reasonField, { reason }).reason;
    return transaction(this.dependencies.db, async (tx) => {
      const payout = await this.locked(tx, id);
      if (payout.frozenAt !== null) return payout;
      checkVersion(payout, expectedVersion);
      requireState(payout, "SCHEDULED", "RETURNED");
      const change = { frozenAt: this.dependencies.clock.now(), frozenReason, version: payout.version + 1 };
      await tx.update(Payout, { id }, change);
      await this.tell(tx, known, payout, "HELD", "hold", { frozenReason: { to: frozenReason } });
      return Object.assign(payout, change);
    });
  }

  /** A repeat changes nothing. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, VERSION_CONFLICT. */
  async release(viewer: Viewer | null, id: string, expectedVersion?: number | null): Promise<Payout> {
    const known = requireKind(viewer, "WRITE", "OPERATOR");
    return transaction(this.dependencies.db, async (tx) => {
      const payout = await this.locked(tx, id);
      if (payout.frozenAt === null) return payout;
      checkVersion(payout, expectedVersion);
      const change = { frozenAt: null, frozenReason: null, version: payout.version + 1 };
      await tx.update(Payout, { id }, change);
      await this.tell(tx, known, payout, "RELEASED", "release", { frozenReason: { from: payout.frozenReason } });
      return Object.assign(payout, change);
    });
  }

  /**
   * One of two words that a large payout may go to the account that the provider has now; should that change, others are
   * needed. The same person's second word is none. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, VERSION_CONFLICT, STATE_CONFLICT.
   */
  async approve(viewer: Viewer | null, id: string, expectedVersion?: number | null): Promise<Payout> {
    const known = requireKind(viewer, "WRITE", "OPERATOR");
    const { db, clock, rules } = this.dependencies;
    return transaction(db, async (tx) => {
      const payout = await this.locked(tx, id);
      checkVersion(payout, expectedVersion);
      requireState(payout, "SCHEDULED");
      const { account } = (await standingsOf(tx, [payout], rules, clock.now())).get(id)!;
      if (account.usableId === null || account.cooling) {
        throw new DomainError(
          "STATE_CONFLICT",
          "There is no account to approve: the provider has none, or it is cooling.",
        );
      }
      const approval = { payoutId: id, accountId: account.usableId, approvedBy: actorOf(known) };
      if (await tx.existsBy(PayoutApproval, approval)) return payout;
      await tx.insert(PayoutApproval, { id: newId(), ...approval, approvedAt: clock.now() });
      const change = { version: payout.version + 1 };
      await tx.update(Payout, { id }, change);
      await this.tell(tx, known, payout, "APPROVED", "approve", { accountId: { to: approval.accountId } });
      return Object.assign(payout, change);
    });
  }

  /**
   * What an operator saw become of a payment by file: nobody else can tell. Once per key.
   * Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT, STATE_CONFLICT, IDEMPOTENCY_KEY_REQUIRED, IDEMPOTENCY_KEY_REUSED.
   */
  async confirm(viewer: Viewer | null, input: SeenOutcome, idempotencyKey: string): Promise<Payout> {
    const known = requireKind(viewer, "WRITE", "OPERATOR");
    const { id, outcome } = input;
    const { code = null, reason = null } = checked(outcomeFields, input);
    const told = { id, outcome, code: code ?? "", reason: reason ?? "" };
    const claim = this.claimOf(known, idempotencyKey, "payoutConfirm", told, { payoutId: id });
    return transaction(this.dependencies.db, async (tx) => {
      if ((await claimKey(tx, claim)) !== null) return this.known(tx, id);
      const payout = await this.locked(tx, id);
      const attempt = await tx.findOneBy(PayoutAttempt, { payoutId: id, number: payout.attempt });
      if (attempt === null || attempt.rail !== "PAIN_001" || attempt.acceptedAt === null) {
        throw new DomainError(
          "STATE_CONFLICT",
          "Only what left in a file is told by an operator; a bank tells of the rest itself.",
        );
      }
      const word = { state: outcome, code, reason };
      const progress = await this.dependencies.progress.apply(tx, attempt.key, word, claim.at);
      if (progress.result !== "APPLIED") throw wrongState(payout);
      await this.record(tx, known, payout, "confirm", {
        state: { from: payout.state, to: outcome },
        ...(reason === null ? {} : { reason: { to: reason } }),
      });
      return progress.payout!;
    });
  }

  /**
   * Another attempt at one that came back, under a key of its own, with the account that the provider has when it leaves.
   * Once per key. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, STATE_CONFLICT, IDEMPOTENCY_KEY_REQUIRED, IDEMPOTENCY_KEY_REUSED.
   */
  async reissue(viewer: Viewer | null, id: string, idempotencyKey: string): Promise<Payout> {
    const known = requireKind(viewer, "WRITE", "OPERATOR");
    const claim = this.claimOf(known, idempotencyKey, "payoutReissue", { id }, { payoutId: id });
    return transaction(this.dependencies.db, async (tx) => {
      if ((await claimKey(tx, claim)) !== null) return this.known(tx, id);
      const payout = await this.locked(tx, id);
      requireState(payout, "RETURNED");
      const change = { state: "SCHEDULED" as const, version: payout.version + 1 };
      await tx.update(Payout, { id }, change);
      await this.tell(tx, known, payout, "SCHEDULED", "reissue", { state: { from: "RETURNED", to: "SCHEDULED" } });
      return Object.assign(payout, change);
    });
  }

  private claimOf(
    { organisationId }: Viewer,
    key: string,
    operation: string,
    input: Record<string, string>,
    result: Record<string, string>,
  ) {
    return {
      organisationId,
      key: checkIdempotencyKey(key),
      operation,
      input,
      result,
      at: this.dependencies.clock.now(),
    };
  }

  private async locked(tx: EntityManager, id: string): Promise<Payout> {
    const payout = await tx.findOne(Payout, {
      where: { id: existingId(id, "payout") },
      lock: { mode: "pessimistic_write" },
    });
    if (payout === null) throw notFound("payout");
    return payout;
  }

  private async known(tx: EntityManager, id: string): Promise<Payout> {
    return tx.findOneByOrFail(Payout, { id });
  }

  private async tell(
    tx: EntityManager,
    viewer: Viewer,
    payout: Payout,
    what: Exclude<PayoutChange, "STANDING">,
    verb: string,
    change: Change,
  ): Promise<void> {
    const { id, providerId } = payout;
    await this.dependencies.outbox.append(tx, "payout.changed", providerId, { payoutId: id, change: what });
    await this.record(tx, viewer, payout, verb, change);
  }

  private record(tx: EntityManager, viewer: Viewer, payout: Payout, verb: string, change: Change): Promise<void> {
    return recordAct(tx, viewer, {
      at: this.dependencies.clock.now(),
      action: `payout.${verb}`,
      subjectType: "Payout",
      subjectId: payout.id,
      organisationId: payout.providerId,
      change,
    });
  }
}

/** Errors: STATE_CONFLICT. */
function requireState(payout: Payout, ...allowed: readonly PayoutState[]): void {
  if (!allowed.includes(payout.state)) throw wrongState(payout);
}

function wrongState({ state }: Payout): DomainError {
  const next = nextPayoutStates[state].join(", ");
  return new DomainError(
    "STATE_CONFLICT",
    `The payout is ${state}${next === "" ? ", for good" : `; next comes ${next}`}.`,
  );
}
