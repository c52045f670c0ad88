/** How a request over a limit is refused: OpenAI's words, and when to come again. */
import { DomainError } from "../../platform/errors";
import type { Lack } from "./group";
import { durationText } from "./rate-headers";
import type { Subject } from "./subject";

/** Requests at once end when they end: nobody knows when. */
const SLOT_RETRY_MS = 1_000;

const owner: Readonly<Record<Subject["kind"], string>> = { key: "this API key", organisation: "your organisation" };

export function rateLimitExceeded({ subject, need }: Lack, tokens: number, nowMs: number): DomainError {
  const whose = owner[subject.kind];
  if (need === "concurrency") {
    const { limit, inFlight } = subject.slots;
    return refusal(
      `Rate limit reached for ${whose} on concurrent requests: Limit ${limit}, In flight ${inFlight}. Try again when one of them has ended.`,
      { type: "requests", retryAfterMs: SLOT_RETRY_MS },
    );
  }
  const requested = need === "requests" ? 1 : tokens;
  const pool = subject[need];
  const unit = need === "requests" ? "requests per minute (RPM)" : "tokens per minute (TPM)";
  if (requested > pool.limit) {
    return refusal(
      `Request too large for ${whose} on ${unit}: Limit ${pool.limit}, Requested ${requested}. Ask for fewer tokens: no waiting helps.`,
      { type: need, retryAfterMs: null },
    );
  }
  const used = pool.limit - pool.remaining(nowMs);
  // A shared allowance may have moved since it was looked at; 0 would have the client repeat at once.
  const retryAfterMs = Math.max(1, pool.waitMs(requested, nowMs));
  return refusal(
    `Rate limit reached for ${whose} on ${unit}: Limit ${pool.limit}, Used ${used}, Requested ${requested}. Please try again in ${durationText(retryAfterMs)}.`,
    { type: need, retryAfterMs },
  );
}

/** `type` stands in for the table's in OpenAI's body; a `retryAfterMs` of null says never. */
const refusal = (message: string, details: { type: "requests" | "tokens"; retryAfterMs: number | null }) =>
  new DomainError("RATE_LIMIT_EXCEEDED", message, { details });
