/** The ledger's own statement, bare: batches of captures on leases, one after the other on one connection. */
import { Client } from "pg";
import { type CommitItem, commitArguments, commitText } from "../src/metering/commit-arguments";
import type { CaptureItem, GrantItem } from "../src/metering/commit-items";
import { newRequestId } from "../src/metering/request-id";
import { usageMembers } from "../src/metering/usage-members";
import { newId } from "../src/platform/ids";
import { type Committed, price } from "./ledger-naive";
import { delivery, type LedgerWorld } from "./ledger-world";

const statement = { name: "bench-commit", text: commitText };
const LEASE_TTL_MS = 3_600_000;
const LEASE_NANO_CREDIT = 40_000n * 1_000_000_000n;

type Batch = ReturnType<typeof commitArguments>;

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
    const grants = startupIds.map(
      (startupId): GrantItem => ({
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
        budgetIds: [],
        budgetEpoch: 0,
      }),
    );
    const answer = await this.send(commitArguments(grants.map((content) => ({ kind: "grants", content }))));
    if (!answer.grants.every(({ code }) => code === "GRANTED")) throw new Error("the bench was lent nothing");
    this.leases.push(...grants.map(({ leaseId: id, startupId }) => ({ id, startupId })));
  }

  private batch(size: number): Batch {
    const at = new Date();
    return commitArguments(Array.from({ length: size }, () => this.capture(at)));
  }

  private capture(at: Date): CommitItem {
    const nr = this.nr++;
    const { id: leaseId, startupId } = this.leases[nr % this.leases.length]!;
    const delivered = delivery(this.world, { requestId: newRequestId(), startupId, leaseId, nr });
    const { charge, accrual, ...priced } = price(delivered);
    const content: CaptureItem = {
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
      usage: usageMembers(delivered, priced),
    };
    return { kind: "captures", content };
  }

  private async send(batch: Batch): Promise<Answer> {
    const { rows } = await this.connection.query<{ answer: Answer }>({ ...statement, values: batch });
    return rows[0]!.answer;
  }
}
