/** A rail in memory that does what a bank does: pays once per key, and answers as a test wants. */
import type { PaymentBatch, PaymentStatus, PayoutRail, Submission } from "../../src/payouts/rails/rail";

export class RailInMemory implements PayoutRail {
  readonly kind = "SIMULATED_BANK";
  readonly resumesAfterMs = 0;
  /** What the bank has taken over, by key. */
  readonly taken = new Map<string, PaymentBatch["orders"][number]>();
  readonly states = new Map<string, PaymentStatus>();
  readonly batches: PaymentBatch[] = [];
  asked = 0;
  /** What happens to an order before and after the bank has it. */
  before: (key: string) => void = () => undefined;
  after: (key: string) => void = () => undefined;
  refusal: (iban: string) => { code: string; reason: string } | null = () => null;

  async submit(batch: PaymentBatch): Promise<Submission[]> {
    this.batches.push(batch);
    return batch.orders.map((order): Submission => {
      const { key, creditor } = order;
      this.asked += 1;
      try {
        this.before(key);
        const refused = this.refusal(creditor.iban);
        if (refused !== null) return { key, result: "REFUSED", ...refused };
        if (!this.taken.has(key)) this.taken.set(key, order);
        this.after(key);
        return { key, result: "ACCEPTED", reference: `REF-${key}` };
      } catch (fault) {
        return { key, result: "UNKNOWN", fault };
      }
    });
  }

  async status(key: string): Promise<PaymentStatus | null> {
    if (!this.taken.has(key)) return null;
    return this.states.get(key) ?? { state: "ACCEPTED", code: null, reason: null };
  }
}
