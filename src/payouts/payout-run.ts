/**
 * Pays statements that fell due, each once, wherever the process dies: what will be asked of the bank is committed first,
 * and asked again under the same key until the bank has answered.
 */
import type { EntityManager } from "typeorm";
import { Payout } from "../../entities/payout";
import { PayoutAttempt } from "../../entities/payout-attempt";
import type { Outbox } from "../events/outbox";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { newId } from "../platform/ids";
import { transaction } from "../platform/transaction";
import { type PayoutRules, standingsOf } from "./payability";
import type { PaymentHandover } from "./payment-handover";
import { paymentKey } from "./payment-keys";
import type { PaymentProgress } from "./payment-progress";
import type { PayoutSchedule } from "./payout-schedule";
import type { PayoutRail } from "./rails/rail";

/** Scheduled payouts that one run looks at. */
const CANDIDATES_MAX = 5_000;

export interface RunResult {
  readonly runId: string;
  /** Payouts that fell due. */
  readonly scheduled: number;
  /** Payments written down to be handed over. */
  readonly submitted: number;
  /** Payments that the bank took over or refused for good. */
  readonly answered: number;
  /** What went wrong with single payments; the next run tries again. */
  readonly faults: readonly unknown[];
}

export interface PayoutRunDependencies {
  readonly db: Database;
  readonly clock: Clock;
  readonly outbox: Outbox;
  readonly schedule: PayoutSchedule;
  readonly progress: PaymentProgress;
  readonly handover: PaymentHandover;
  /** Null: nothing leaves. */
  readonly rail: PayoutRail | null;
  readonly rules: PayoutRules;
}

export class PayoutRun {
  constructor(private readonly dependencies: PayoutRunDependencies) {}

  /** Never fails because of a single payment. Several runs at once, in several processes, do no harm. Errors: the database's. */
  async run(runId: string = newId()): Promise<RunResult> {
    const { schedule, handover, rail } = this.dependencies;
    const faults: unknown[] = [];
    const onFault = (fault: unknown) => void faults.push(fault);
    const scheduled = (await schedule.scheduleDue(onFault)).length;
    if (rail === null) return { runId, scheduled, submitted: 0, answered: 0, faults };
    const submitted = await this.writeDown(rail, runId, onFault);
    const answered = await handover.handOver(rail, onFault);
    await handover.lookAfter(rail, onFault);
    return { runId, scheduled, submitted, answered, faults };
  }

  /** One transaction per payout takes the money off its statement and says under which key the bank will be asked. */
  private async writeDown(rail: PayoutRail, runId: string, onFault: (fault: unknown) => void): Promise<number> {
    const { db, clock, rules } = this.dependencies;
    const candidates = await db.source.getRepository(Payout).find({
      where: { state: "SCHEDULED" },
      order: { dueAt: "ASC", id: "ASC" },
      take: CANDIDATES_MAX,
    });
    const standings = await standingsOf(db.source.manager, candidates, rules, clock.now());
    let submitted = 0;
    for (const { id } of candidates.filter((payout) => standings.get(payout.id)!.holds.length === 0)) {
      try {
        if (await transaction(db, (tx) => this.submit(tx, id, rail, runId))) submitted += 1;
      } catch (fault) {
        onFault(fault);
      }
    }
    return submitted;
  }

  /** False: somebody was faster, or something holds it now. */
  private async submit(tx: EntityManager, payoutId: string, rail: PayoutRail, runId: string): Promise<boolean> {
    const { clock, rules, progress, outbox } = this.dependencies;
    const at = clock.now();
    const payout = await tx.findOne(Payout, {
      where: { id: payoutId, state: "SCHEDULED" },
      lock: { mode: "pessimistic_write" },
    });
    if (payout === null) return false;
    const standing = (await standingsOf(tx, [payout], rules, at, { lock: true })).get(payoutId)!;
    if (standing.holds.length > 0) return false;
    const number = payout.attempt + 1;
    const attempt = {
      id: newId(),
      payoutId,
      number,
      key: paymentKey(payout.statementId, number),
      rail: rail.kind,
      accountId: standing.account.usableId!,
      amountNanoUsd: payout.amountNanoUsd,
      state: "SUBMITTED" as const,
      runId,
      submittedAt: at,
    };
    await tx.insert(PayoutAttempt, attempt);
    await tx.update(Payout, { id: payoutId }, { state: "SUBMITTED", attempt: number, version: payout.version + 1 });
    await progress.book(tx, payout, { ...attempt, state: "SCHEDULED" }, "SUBMITTED", at);
    await outbox.append(tx, "payout.changed", payout.providerId, { payoutId, change: "SUBMITTED" });
    return true;
  }
}
