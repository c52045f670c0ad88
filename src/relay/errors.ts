/** Error table → OpenAI error body: what the official client turns into its typed errors. */
import type { ServerResponse } from "node:http";
import type { RoutingCandidate } from "../../entities/routing-decision";
import { formatNano } from "../money/nano";
import { asUnavailable } from "../platform/database";
import { DomainError, errorTable } from "../platform/errors";
import { sendWhole } from "../platform/whole-answer";
import type { FailureKind } from "../routing/cooldown";

export interface OpenAiError {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Unknown errors are masked: their text may name hosts, providers, statements. */
export function asDomainError(error: unknown): DomainError {
  const known = asUnavailable(error);
  if (known instanceof DomainError) return known;
  return new DomainError("INTERNAL", "Something went wrong on our side. Quote the request id when you report it.", {
    cause: error,
  });
}

export function openAiError(error: DomainError): OpenAiError {
  const row = errorTable[error.code];
  const details =
    error.details === undefined
      ? {}
      : Object.fromEntries(Object.entries(error.details).map(([key, value]) => wireDetail(key, value)));
  const body = {
    error: {
      message: error.message,
      type: row.openAiType,
      param: error.field?.join(".") ?? null,
      code: error.code.toLowerCase(),
      ...details,
    },
  };
  return {
    status: row.status,
    body: JSON.stringify(body),
    // The official client repeats 408, 409, 429 and 5xx by itself; `x-should-retry` overrules its guess.
    headers: row.retryable ? retryHeaders(error.details?.retryAfterMs) : { "x-should-retry": "false" },
  };
}

/** `retryAfterMs`: a number when it is known, null when the same request can never succeed. */
function retryHeaders(retryAfterMs: unknown): Record<string, string> {
  if (retryAfterMs === null) return { "x-should-retry": "false" };
  if (typeof retryAfterMs !== "number") return { "x-should-retry": "true", "retry-after": "1" };
  return {
    "x-should-retry": "true",
    "retry-after": String(Math.ceil(retryAfterMs / 1_000)),
    "retry-after-ms": String(retryAfterMs),
  };
}

/** `availableNanoCredit: 5n` goes out as `available: "0.000000005"`: no unit prefix, no number that a double would bend. */
function wireDetail(key: string, value: unknown): [string, unknown] {
  const name = key.replace(/Nano(Credit|Usd)$/, "").replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return [name, typeof value === "bigint" ? formatNano(value) : value];
}

export function sendError(response: ServerResponse, requestId: string, error: DomainError): void {
  const { status, body, headers } = openAiError(error);
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  sendWhole(response, status, { "content-type": "application/json", "x-request-id": requestId, ...headers }, body);
}

/** An error inside a stream that has begun: one event, and no `[DONE]` after it. */
export function errorEvent(error: DomainError): string {
  return `data: ${openAiError(error).body}\n\n`;
}

/** Not all at once come back: each is told another moment around a second. */
export function providersBusy(): DomainError {
  const retryAfterMs = 500 + Math.floor(Math.random() * 1_000);
  return new DomainError("PROVIDERS_BUSY", "Every provider of the model is busy. Try again shortly.", {
    details: { retryAfterMs },
  });
}

/** Why nobody answered: `failure` is that of the last attempt, null when there was none. */
export function noAnswer(
  failure: FailureKind | null,
  attempts: number,
  candidates: readonly RoutingCandidate[],
): DomainError {
  const tries = `${attempts} attempt${attempts === 1 ? "" : "s"}`;
  switch (failure) {
    case null: {
      const reasons = [...new Set(candidates.flatMap(({ refusal }) => refusal ?? []))];
      return new DomainError("NO_ROUTE", "Providers offer the model, but none can take the request now.", {
        details: { reasons },
      });
    }
    case "THROTTLED":
      return new DomainError("NO_ROUTE", "Every provider of the model is at its limit. Try again shortly.");
    case "TIMEOUT":
      return new DomainError("UPSTREAM_TIMEOUT", `No provider answered in time (${tries}). Nothing was charged.`);
    default:
      return new DomainError("UPSTREAM_FAILED", `No provider answered (${tries}). Nothing was charged.`);
  }
}
