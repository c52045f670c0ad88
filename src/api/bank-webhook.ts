/** `POST /webhooks/bank`: what a bank tells by itself. Its signature is its credential; nobody else's counts here. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { BankCallbacks } from "../payouts/bank-callbacks";
import { DomainError } from "../platform/errors";
import { readBody } from "../platform/http-server";

export const BANK_WEBHOOK = "/webhooks/bank";

/** A message about one payment is some hundred bytes. */
const BODY_BYTES_MAX = 65_536;

/** Errors: METHOD_NOT_ALLOWED, BODY_TOO_LARGE, those of `receive`. The bank sends again whatever is not answered with 2xx. */
export async function handleBankWebhook(
  callbacks: BankCallbacks,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== "POST") {
    response.setHeader("allow", "POST");
    throw new DomainError("METHOD_NOT_ALLOWED", `${BANK_WEBHOOK} takes POST, not ${request.method}.`);
  }
  const body = await readBody(request, BODY_BYTES_MAX);
  await callbacks.receive({ headers: request.headers, body });
  response.writeHead(204).end();
}
