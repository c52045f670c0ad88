/** The ledger's own statement, bare: batches of captures on leases, one after the other on one connection. */
import { Client } from "pg";
import { newRequestId } from "../src/metering/request-id";
import { usageMembers } from "../src/metering/usage-members";
import { newId } from "../src/platform/ids";
import { type Committed, price } from "./ledger-naive";
import { delivery, type LedgerWorld } from "./ledger-world";

const statement = { name: "bench-commit", text: "SELECT metering_commit($1) AS answer" };
const LEASE_TTL_MS = 3_600_000;
const LEASE_NANO_CREDIT = 40_000n * 1_000_000_000n;

interface Answer {
  readonly captures: readonly { readonly code: string }[];
  readonly grants: readonly { readonly code: string }[];
}

export class BareLedger {
  private readonly leases: { id: string; startupId: string }[] = [];
  private nr = 0;

  constructor(
    private readonly world: LedgerWorld,
    private readonly connection: Client,
  ) {}

  static async open(world: LedgerWorld, url: string): Promise<BareLedger> {
    const connection = new Client({ connectionString: url });
    await connection.connect();
    const ledger = new BareLedger(world, connection);
    await ledger.borrow();
    return ledger;
  }

  async run({ batch, durationMs }: { batch: number; durationMs: number }): Promise<Committed> {
    let captures = 0;
    const tookMs: number[] = [];
    const startedMs = performance.now();
    let next = this.batch(batch);
    while (performance.now() - startedMs < durationMs) {
      const beganMs = performance.now();
      const answer = this.send(next);
      // Made while PostgreSQL works on the one before.
      next = this.batch(batch);
      const { captures: results } = await answer;
      tookMs.push(performance.now() - beganMs);
      if (!results.every(({ code }) => code === "CAPTURED")) throw new Error("a capture of the bench was refused");
      captures += results.length;
    }
    return { captures, seconds: (performance.now() - startedMs) / 1_000, tookMs };
  }

  async close(): Promise<void> {
    await this.connection.end();
  }

  private async borrow(): Promise<void> {
    const { startupIds, purpose } = this.world;
    const instance = newId();
    const grants = startupIds.map((startupId) => ({
      id: newRequestId(),
      leaseId: newId(),
      startupId,
      instance,
      accelerators: purpose.accelerators,
      workload: purpose.workload,
      amount: LEASE_NANO_CREDIT.toString(),
      sharePpm: 50_000,
      minimum: "1",
      ttlMs: LEASE_TTL_MS,
      at: new Date(),
    }));
    const answer = await this.send(JSON.stringify({ grants }));
    if (!answer.grants.every(({ code }) => code === "GRANTED")) throw new Error("the bench was lent nothing");
    this.leases.push(...grants.map(({ leaseId: id, startupId }) => ({ id, startupId })));
  }

  private batch(size: number): string {
    const at = new Date();
    const items = Array.from({ length: size }, (_, index) => {
      const nr = this.nr++;
      const { id: leaseId, startupId } = this.leases[nr % this.leases.length]!;
      const delivered = delivery(this.world, { requestId: newRequestId(), startupId, leaseId, nr });
      const { charge, accrual, ...priced } = price(delivered);
      return {
        capture: {
          id: delivered.requestId,
          startupId,
          leaseId,
          rateCardId: delivered.quote.card.id,
          held: delivered.heldNanoCredit.toString(),
          at,
          charge: charge.toString(),
          accrual: accrual.toString(),
          providerId: delivered.providerId,
          period: at.toISOString().slice(0, 7),
        },
        usage: { ord: index + 1, ...usageMembers(delivered, priced) },
      };
    });
    return JSON.stringify({ captures: items.map(({ capture }) => capture), usages: items.map(({ usage }) => usage) });
  }

  private async send(batch: string): Promise<Answer> {
    const { rows } = await this.connection.query<{ answer: Answer }>({ ...statement, values: [batch] });
    return rows[0]!.answer;
  }
}
