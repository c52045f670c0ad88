/** A bank over HTTP, simulated by examples/simulated-bank: orders with an Idempotency-Key, one status per key. */

import { request } from "undici";
import { z } from "zod";
import { formatCents } from "../cents";
import type { PaymentBatch, PaymentOrder, PaymentStatus, PayoutRail, Submission } from "./rail";

const TIMEOUT_MS = 10_000;
/** Orders in flight: enough to hide the way there and back, few enough for any bank. */
const AT_ONCE_MAX = 8;

const payment = z.object({
  reference: z.string().min(1).max(200),
  state: z.enum(["ACCEPTED", "IN_TRANSIT", "SETTLED", "RETURNED"]),
  code: z.string().max(10).nullish(),
  reason: z.string().max(500).nullish(),
});
const refusal = z.object({ code: z.string().min(1).max(10), reason: z.string().max(500) });

export class SimulatedBankRail implements PayoutRail {
  readonly kind = "SIMULATED_BANK";
  /** Asking twice at once is harmless here. */
  readonly resumesAfterMs = 0;

  constructor(private readonly bankUrl: string) {}

  async submit({ orders }: PaymentBatch): Promise<Submission[]> {
    const submissions: Submission[] = [];
    for (let begin = 0; begin < orders.length; begin += AT_ONCE_MAX) {
      const some = orders.slice(begin, begin + AT_ONCE_MAX);
      submissions.push(...(await Promise.all(some.map((order) => this.order(order)))));
    }
    return submissions;
  }

  async status(key: string): Promise<PaymentStatus | null> {
    const { statusCode, body } = await this.call("GET", `/payments/${encodeURIComponent(key)}`);
    if (statusCode === 404) return null;
    if (statusCode !== 200) throw new Error(`the bank answered ${statusCode} when it was asked for a payment`);
    const { state, code, reason } = payment.parse(body);
    return { state, code: code ?? null, reason: reason ?? null };
  }

  private async order(order: PaymentOrder): Promise<Submission> {
    const { key, endToEndId, cents, currency, creditor, remittance } = order;
    try {
      const told = { endToEndId, amount: formatCents(cents), currency, creditor, remittance };
      const { statusCode, body } = await this.call("POST", "/payments", told, key);
      if (statusCode === 422) return { key, result: "REFUSED", ...refusal.parse(body) };
      if (statusCode === 200 || statusCode === 202) {
        return { key, result: "ACCEPTED", reference: payment.parse(body).reference };
      }
      return { key, result: "UNKNOWN", fault: new Error(`the bank answered ${statusCode} to a payment`) };
    } catch (fault) {
      return { key, result: "UNKNOWN", fault };
    }
  }

  private async call(method: "GET" | "POST", path: string, told?: object, key?: string) {
    const answer = await request(new URL(path, this.bankUrl), {
      method,
      headers: {
        ...(told === undefined ? {} : { "content-type": "application/json" }),
        ...(key === undefined ? {} : { "idempotency-key": key }),
      },
      body: told === undefined ? null : JSON.stringify(told),
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
    });
    return { statusCode: answer.statusCode, body: (await answer.body.json()) as unknown };
  }
}
