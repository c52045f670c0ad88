/** Asks the bank for the payments that were written down, by a run that lives or one that died, and how those under way stand. */
import { In } from "typeorm";
import { Payout } from "../../entities/payout";
import { PayoutAccount } from "../../entities/payout-account";
import { PayoutAttempt } from "../../entities/payout-attempt";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { newId } from "../platform/ids";
import { transaction } from "../platform/transaction";
import type { AccountSeal } from "./account-seal";
import { centsOf } from "./cents";
import type { PaymentProgress } from "./payment-progress";
import type { PaymentOrder, PayoutRail, Submission } from "./rails/rail";

/** Payments of one batch: of a file, what an operator can still look through. */
const BATCH_MAX = 500;
/** Payments that one run asks the bank about, those first that were not asked about for longest. */
const LOOKS_MAX = 200;

type Accepted = Extract<Submission, { result: "ACCEPTED" }>;
type Refused = Extract<Submission, { result: "REFUSED" }>;
type OnFault = (fault: unknown) => void;

export class PaymentHandover {
  private readonly db: Database;
  private readonly clock: Clock;
  private readonly progress: PaymentProgress;
  private readonly seal: AccountSeal;

  constructor(dependencies: { db: Database; clock: Clock; progress: PaymentProgress; seal: AccountSeal }) {
    this.db = dependencies.db;
    this.clock = dependencies.clock;
    this.progress = dependencies.progress;
    this.seal = dependencies.seal;
  }

  /** How many payments the bank took over, or refused for good. */
  async handOver(rail: PayoutRail, onFault: OnFault): Promise<number> {
    const own = await this.sealBatches(rail);
    let answered = 0;
    for (const attempts of await this.unanswered(rail, own)) {
      try {
        const [{ batchId, batchedAt }] = attempts as [PayoutAttempt];
        const orders = await this.ordersOf(attempts);
        const submissions = await rail.submit({ id: batchId!, createdAt: batchedAt!, orders });
        for (const submission of submissions) if (submission.result === "UNKNOWN") onFault(submission.fault);
        answered += await this.accept(submissions.filter((one): one is Accepted => one.result === "ACCEPTED"));
        answered += await this.refuse(submissions.filter((one): one is Refused => one.result === "REFUSED"));
      } catch (fault) {
        onFault(fault);
      }
    }
    return answered;
  }

  /** Makes good for messages of the bank that got lost. */
  async lookAfter(rail: PayoutRail, onFault: OnFault): Promise<void> {
    if (rail.status === undefined) return;
    for (const key of await this.longestUnseen(rail)) {
      try {
        const status = await rail.status(key);
        if (status === null) throw new Error(`the bank took the payment ${key} over and does not know it any more`);
        const { state, code, reason } = status;
        if (state === "ACCEPTED") continue;
        const at = this.clock.now();
        await transaction(this.db, (tx) => this.progress.apply(tx, key, { state, code, reason }, at));
      } catch (fault) {
        onFault(fault);
      }
    }
  }

  /** A batch is closed before it is handed over: what is written down meanwhile goes into another one. */
  private async sealBatches(rail: PayoutRail): Promise<string[]> {
    const sealed: string[] = [];
    for (;;) {
      const batchId = newId();
      const rows = await this.db.query(
        {
          name: "payouts-seal-batch",
          text: `UPDATE payout_attempt SET batch_id = $1, batched_at = $2
                  WHERE id IN (SELECT id FROM payout_attempt WHERE rail = $3 AND state = 'SUBMITTED' AND batch_id IS NULL
                                ORDER BY submitted_at, id LIMIT ${BATCH_MAX} FOR UPDATE SKIP LOCKED) RETURNING id`,
        },
        [batchId, this.clock.now(), rail.kind],
      );
      if (rows.length === 0) return sealed;
      sealed.push(batchId);
    }
  }

  /** By batch. Those of another run are left to it while it may still be at them. */
  private async unanswered(rail: PayoutRail, own: readonly string[]): Promise<PayoutAttempt[][]> {
    const dead = new Date(this.clock.nowMs() - rail.resumesAfterMs);
    const attempts = await this.db.source
      .getRepository(PayoutAttempt)
      .createQueryBuilder("attempt")
      .where("attempt.rail = :rail AND attempt.state = 'SUBMITTED' AND attempt.acceptedAt IS NULL", { rail: rail.kind })
      .andWhere("(attempt.batchId = ANY (:own) OR attempt.batchedAt <= :dead)", { own, dead })
      .orderBy("attempt.id", "ASC")
      .getMany();
    const batches = new Map<string, PayoutAttempt[]>();
    for (const attempt of attempts) batches.set(attempt.batchId!, [...(batches.get(attempt.batchId!) ?? []), attempt]);
    return [...batches.values()];
  }

  private async ordersOf(attempts: readonly PayoutAttempt[]): Promise<PaymentOrder[]> {
    const { source } = this.db;
    const [accounts, payouts] = await Promise.all([
      source.getRepository(PayoutAccount).findBy({ id: In(attempts.map(({ accountId }) => accountId)) }),
      source.getRepository(Payout).findBy({ id: In(attempts.map(({ payoutId }) => payoutId)) }),
    ]);
    const accountById = new Map(accounts.map((account) => [account.id, account]));
    const periodById = new Map(payouts.map(({ id, period }) => [id, period]));
    return attempts.map(({ key, payoutId, number, accountId, amountNanoUsd }) => ({
      key,
      endToEndId: `${payoutId.replaceAll("-", "")}-${number}`,
      cents: centsOf(amountNanoUsd),
      currency: "USD",
      creditor: this.creditorOf(accountById.get(accountId)!),
      remittance: `GPU capacity ${periodById.get(payoutId)}`,
    }));
  }

  private creditorOf({ id, holderSealed, ibanSealed, bic, country }: PayoutAccount): PaymentOrder["creditor"] {
    const holder = this.seal.open(holderSealed, { rowId: id, column: "holder" });
    const iban = this.seal.open(ibanSealed, { rowId: id, column: "iban" });
    return { holder, iban, bic, country };
  }

  /** All at once: a file of which half were noted would be written again with the other half. */
  private async accept(submissions: readonly Accepted[]): Promise<number> {
    const rows = await this.db.query(
      {
        name: "payouts-accepted",
        text: `UPDATE payout_attempt a SET accepted_at = $3, reference = s.reference
                 FROM unnest($1::text[], $2::text[]) AS s(key, reference)
                WHERE a.key = s.key AND a.accepted_at IS NULL RETURNING a.id`,
      },
      [submissions.map(({ key }) => key), submissions.map(({ reference }) => reference), this.clock.now()],
    );
    return rows.length;
  }

  private async refuse(submissions: readonly Refused[]): Promise<number> {
    let refused = 0;
    for (const { key, code, reason } of submissions) {
      const word = { state: "RETURNED" as const, code, reason };
      const at = this.clock.now();
      const { result } = await transaction(this.db, (tx) => this.progress.apply(tx, key, word, at));
      if (result === "APPLIED") refused += 1;
    }
    return refused;
  }

  private async longestUnseen(rail: PayoutRail): Promise<string[]> {
    const rows = await this.db.query<{ key: string }>(
      {
        name: "payouts-look-after",
        text: `UPDATE payout_attempt SET looked_at = $2
                WHERE id IN (SELECT id FROM payout_attempt WHERE rail = $1 AND state IN ('SUBMITTED','IN_TRANSIT') AND accepted_at IS NOT NULL
                              ORDER BY looked_at NULLS FIRST, id LIMIT ${LOOKS_MAX}) RETURNING key`,
      },
      [rail.kind, this.clock.now()],
    );
    return rows.map(({ key }) => key);
  }
}
