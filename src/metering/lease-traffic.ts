/** Carries tranches from the ledger to a lease and back, one act per lease at a time, each repeated until it is answered. */
import { setTimeout as pause } from "node:timers/promises";
import type { EventBus } from "../events/event-bus";
import { LEASE_TTL_MS } from "../ledger/recall";
import type { Clock } from "../platform/clock";
import { DomainError } from "../platform/errors";
import type { BudgetSet } from "./budget-sets";
import type { GrantResult } from "./commit-items";
import type { Lease } from "./lease";
import { LEASE_SHARE_PPM, type Tranche } from "./lease-size";
import type { Purpose } from "./purpose";
import { newRequestId } from "./request-id";
import type { SettlementQueue } from "./settlement-queue";

/** After the queue's own patience: whoever waits for this is no client. */
const REPEAT_AFTER_MS = 250;

export interface LeaseTrafficDependencies {
  readonly queue: SettlementQueue;
  readonly bus: EventBus;
  readonly clock: Clock;
  /** Unique id of this process. */
  readonly instance: string;
  /** Milliseconds that no clock sets back. */
  readonly upMs: () => number;
  /** An act failed, and no outage is to blame. */
  readonly onFault: (error: unknown) => void;
}

export class LeaseTraffic {
  private givenUp = false;

  constructor(
    private readonly its: LeaseTrafficDependencies,
    /** Told after each act: the lease may be over, or owe something now. */
    private readonly afterAct: (lease: Lease) => void,
  ) {}

  /** Null: no answer, and none to come. */
  async ask(
    lease: Lease,
    { purpose, budgets }: { purpose: Purpose; budgets: BudgetSet },
    tranche: Tranche,
  ): Promise<GrantResult["code"] | null> {
    const { queue, clock, instance, upMs } = this.its;
    const item = {
      id: newRequestId(),
      leaseId: lease.id,
      startupId: lease.startupId,
      instance,
      accelerators: purpose.accelerators,
      workload: purpose.workload,
      amount: tranche.amountNanoCredit.toString(),
      sharePpm: LEASE_SHARE_PPM,
      minimum: tranche.minimumNanoCredit.toString(),
      ttlMs: LEASE_TTL_MS,
      at: clock.now(),
      budgetIds: budgets.ids,
      budgetEpoch: budgets.epoch,
    };
    const first = lease.phase === "ASKED";
    const sentMs = upMs();
    lease.busy = true;
    const answer = await this.untilAnswered(() => queue.grant(item));
    lease.busy = false;
    if (answer?.code === "GRANTED") {
      const usableUntilMs = answer.usableUntil === null ? Number.POSITIVE_INFINITY : Date.parse(answer.usableUntil);
      lease.grant(BigInt(answer.granted ?? 0), usableUntilMs);
      lease.besides = answer.available === null ? null : BigInt(answer.available);
      if (first) {
        lease.renewed(sentMs);
        lease.confirmedMs = upMs();
      }
      this.its.bus.publish("balance.changed", { startupId: lease.startupId });
    } else if (first || answer === null || answer.code === "LEASE_LOST") lease.lose();
    // It is lent nothing more; what it has was lent under what it is counted against.
    else if (answer.code === "BUDGETS_CHANGED") lease.retire();
    this.afterAct(lease);
    return answer?.code ?? null;
  }

  /** What the lease owes, until it owes nothing. Harmless when that is so, or when somebody is at it. */
  async giveBack(lease: Lease): Promise<void> {
    const { queue, bus, clock } = this.its;
    while (!lease.busy && lease.owes) {
      const back = lease.nextReturn();
      const item = {
        id: newRequestId(),
        leaseId: lease.id,
        amount: back.amountNanoCredit.toString(),
        acknowledges: back.acknowledges,
        close: back.close,
        at: clock.now(),
      };
      lease.busy = true;
      const answer = await this.untilAnswered(() => queue.giveBack(item));
      lease.busy = false;
      if (answer?.code === "RETURNED") lease.returnedAs(back);
      else lease.lose();
      bus.publish("lease.returned", { leaseId: lease.id, startupId: lease.startupId });
      bus.publish("balance.changed", { startupId: lease.startupId });
      this.afterAct(lease);
    }
  }

  /** The process ends: what has no answer by now is swept when its time is over. */
  giveUp(): void {
    this.givenUp = true;
  }

  /** The same item again and again: whether the one before took effect, its answer will say. */
  private async untilAnswered<Answer>(send: () => Promise<Answer>): Promise<Answer | null> {
    for (;;) {
      try {
        return await send();
      } catch (error) {
        if (!isPassing(error)) {
          this.its.onFault(error);
          return null;
        }
        if (this.givenUp) return null;
        await pause(REPEAT_AFTER_MS, undefined, { ref: false });
      }
    }
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof DomainError && (error.code === "DATABASE_UNAVAILABLE" || error.code === "OVERLOADED");
}
