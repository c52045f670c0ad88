/** A relay process as far as credit goes: a metering door of its own, with a name, a clock that counts on, and beats when a test says so. */

import type { EventBus } from "../../src/events/event-bus";
import { Recall } from "../../src/ledger/recall";
import { type Delivery, Metering, newRequestId } from "../../src/metering/metering";
import { type Purpose, purposeOf } from "../../src/metering/purpose";
import type { Database } from "../../src/platform/database";
import { newId } from "../../src/platform/ids";
import { until } from "../support/leftovers";
import type { MoneyWorld } from "../support/money-world";

export const CHAT = purposeOf("INFERENCE", ["H100"]);

export interface LeasedRequest {
  readonly requestId: string;
  readonly startupId: string;
  readonly heldNanoCredit: bigint;
  readonly leaseId: string | null;
}

interface LesseeOptions {
  /** Left out: the one of the world, so that recalls are heard at once. */
  bus?: EventBus;
  db?: Database;
}

export class Lessee {
  readonly instance = newId();
  readonly metering: Metering;
  readonly recall: Recall;
  /** What went wrong in the background. */
  readonly faults: unknown[] = [];
  upMs = 0;

  constructor(
    private readonly world: MoneyWorld,
    { bus = world.bus, db = world.db }: LesseeOptions = {},
  ) {
    this.recall = new Recall({ db, bus });
    this.metering = new Metering({
      db,
      bus,
      clock: world.clock,
      instance: this.instance,
      recall: this.recall,
      upMs: () => this.upMs,
      onFault: (error) => void this.faults.push(error),
    });
  }

  async hold(
    startupId: string,
    amountNanoCredit: bigint,
    purpose: Purpose = CHAT,
    apiKeyId: string | null = null,
    hasAlternative = false,
  ): Promise<LeasedRequest> {
    const requestId = newRequestId();
    const rateCardId = this.world.quote.card.id;
    const request = { requestId, startupId, amountNanoCredit, rateCardId, ttlMs: 600_000 };
    const asked = { ...request, purpose, apiKeyId, hasAlternative };
    return { requestId, startupId, heldNanoCredit: amountNanoCredit, ...(await this.metering.authorise(asked)) };
  }

  release(request: LeasedRequest): Promise<void> {
    return this.metering.release(request.requestId, request.startupId, request);
  }

  delivery(request: LeasedRequest, more: Partial<Delivery> = {}): Delivery {
    return this.world.delivery({ ...request, ...more });
  }

  settle(request: LeasedRequest, more: Partial<Delivery> = {}) {
    return this.metering.settle(this.delivery(request, more));
  }

  /** Asks for little until the process has a lease, and gives back what it asked for. */
  async borrow(
    startupId: string,
    amountNanoCredit = 10n,
    purpose: Purpose = CHAT,
    apiKeyId: string | null = null,
  ): Promise<string> {
    return until("a lease", async () => {
      const request = await this.hold(startupId, amountNanoCredit, purpose, apiKeyId);
      await this.release(request);
      return request.leaseId;
    });
  }

  /** What the ledger says of this process's leases. */
  async leases(): Promise<{ id: string; state: string; balance: bigint; acknowledged: boolean }[]> {
    const rows = await this.world.db.source.query(
      `SELECT l.id, l.state, l.acknowledged_epoch = l.recall_epoch AS acknowledged,
              (SELECT coalesce(sum(balance_nano_credit), 0) FROM lease_slice s WHERE s.lease_id = l.id)::text AS balance
         FROM lease l WHERE l.instance = $1 ORDER BY l.opened_at, l.id`,
      [this.instance],
    );
    return rows.map((row: { balance: string }) => ({ ...row, balance: BigInt(row.balance) }));
  }
}
