/** What any way of paying looks like from here: orders handed over under keys of their own, and a question how they stand. */
import type { PayoutRailKind } from "../../../schema/enums";

export interface PaymentOrder {
  /** The bank pays once per key, however often it is asked. */
  readonly key: string;
  /** On the provider's bank statement, at most 35 characters. */
  readonly endToEndId: string;
  readonly cents: bigint;
  readonly currency: "USD";
  readonly creditor: {
    readonly holder: string;
    readonly iban: string;
    readonly bic: string;
    readonly country: string;
  };
  /** What it is for, in words, at most 140 characters. */
  readonly remittance: string;
}

/** The same id always comes with the same orders. */
export interface PaymentBatch {
  readonly id: string;
  readonly createdAt: Date;
  readonly orders: readonly PaymentOrder[];
}

export type Submission =
  | { readonly key: string; readonly result: "ACCEPTED"; readonly reference: string }
  /** The bank will never pay it: what it said. */
  | { readonly key: string; readonly result: "REFUSED"; readonly code: string; readonly reason: string }
  /** Nobody knows whether the bank has it; asking again under the same key is safe. */
  | { readonly key: string; readonly result: "UNKNOWN"; readonly fault: unknown };

export interface PaymentStatus {
  readonly state: "ACCEPTED" | "IN_TRANSIT" | "SETTLED" | "RETURNED";
  readonly code: string | null;
  readonly reason: string | null;
}

export interface PayoutRail {
  readonly kind: PayoutRailKind;
  /** How long a run may take to hand a batch over, until another takes it for dead and does it again. */
  readonly resumesAfterMs: number;
  /** Never fails as a whole: what could not be done is in the answer, one entry per order. */
  submit(batch: PaymentBatch): Promise<Submission[]>;
  /** Null: the bank knows no such payment. Absent: this way has nobody to ask, an operator tells. */
  status?(key: string): Promise<PaymentStatus | null>;
}
