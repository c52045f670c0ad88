/** What the bank knows of each payment, and the rules by which it pays, refuses or returns. SIMULATED: no money moves. */

export interface PaymentRequest {
  readonly endToEndId: string;
  /** Dollars and cents, e.g. "12.34". */
  readonly amount: string;
  readonly currency: string;
  readonly creditor: { readonly holder: string; readonly iban: string; readonly bic: string; readonly country: string };
  readonly remittance: string;
}

export type PaymentState = "ACCEPTED" | "IN_TRANSIT" | "SETTLED" | "RETURNED";

export interface Payment {
  readonly key: string;
  readonly reference: string;
  readonly order: PaymentRequest;
  state: PaymentState;
  /** ISO 20022, of a return. */
  code: string | null;
  reason: string | null;
}

/** What happens to accounts whose IBAN ends so: a reason of ISO 20022 by the ending. */
export interface Rules {
  /** Never taken over. */
  readonly refuse?: Readonly<Record<string, string>>;
  /** Taken over, and sent back instead of being settled. */
  readonly return?: Readonly<Record<string, string>>;
  /** Settled, and sent back afterwards. */
  readonly returnAfterSettling?: Readonly<Record<string, string>>;
}

export const reasons: Readonly<Record<string, string>> = {
  AC01: "Incorrect account number",
  AC04: "Closed account number",
  AC06: "Blocked account",
  AG01: "Transaction forbidden on this account",
  MD07: "End customer is deceased",
  MS03: "Reason not specified by the bank",
};

export function ruleFor(iban: string, endings: Readonly<Record<string, string>> | undefined): string | null {
  return Object.entries(endings ?? {}).find(([ending]) => iban.endsWith(ending))?.[1] ?? null;
}

/** The states that a payment goes through by itself, with the reason of a return. */
export function courseOf(iban: string, rules: Rules): readonly { state: PaymentState; code: string | null }[] {
  const returned = ruleFor(iban, rules.return);
  const late = ruleFor(iban, rules.returnAfterSettling);
  return [
    { state: "IN_TRANSIT", code: null },
    ...(returned === null ? [{ state: "SETTLED" as const, code: null }] : []),
    ...((returned ?? late) === null ? [] : [{ state: "RETURNED" as const, code: returned ?? late }]),
  ];
}

/** Null when the order can be taken over, else what is wrong with it. */
export function faultOf(order: Partial<PaymentRequest> | null): { code: string; reason: string } | null {
  if (typeof order?.endToEndId !== "string" || order.endToEndId.length > 35)
    return fault("endToEndId has up to 35 characters");
  if (typeof order.amount !== "string" || !/^\d{1,15}\.\d{2}$/.test(order.amount) || /^0+\.00$/.test(order.amount)) {
    return fault("amount is more than 0.00 with two decimals");
  }
  if (order.currency !== "USD") return fault("currency is USD");
  if (!/^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/.test(order.creditor?.iban ?? ""))
    return { code: "AC01", reason: reasons.AC01! };
  return null;
}

const fault = (reason: string) => ({ code: "FF01", reason });
