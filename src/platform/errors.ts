/** The one error table: every code the product can answer with, its HTTP status, and how the OpenAI edge words it. */

interface ErrorRow {
  readonly status: number;
  /** `error.type` of the OpenAI error body. */
  readonly openAiType: string;
  readonly retryable: boolean;
  /** What it means and what to do, for docs/errors.md. */
  readonly meaning: string;
}

const row = (status: number, openAiType: string, meaning: string, retryable = false): ErrorRow => ({
  status,
  openAiType,
  retryable,
  meaning,
});

export const errorTable = {
  UNAUTHENTICATED: row(
    401,
    "authentication_error",
    "No API key, token or session, or one that is unknown, revoked or expired. Send `Authorization: Bearer …`.",
  ),
  IDENTITY_PROVIDER_UNAVAILABLE: row(
    503,
    "service_unavailable",
    "The identity provider whose keys prove a token cannot be reached. API keys and sessions work on.",
    true,
  ),
  FORBIDDEN: row(403, "permission_error", "The key's organisation, role or scopes do not allow this."),
  NOT_FOUND: row(404, "invalid_request_error", "No such object, or not one that you may see."),
  MODEL_NOT_FOUND: row(
    404,
    "invalid_request_error",
    "No provider offers this model. `GET /v1/models` lists what is routable.",
  ),
  OPERATION_NOT_SERVED: row(
    404,
    "invalid_request_error",
    "The model is offered, but nobody who offers it answers this kind of request, as when an embeddings model is asked to chat.",
  ),
  BAD_USER_INPUT: row(400, "invalid_request_error", "A value is missing or out of its bounds; the message names it."),
  MALFORMED_BODY: row(400, "invalid_request_error", "The body is not the JSON object that this route takes."),
  CONTEXT_TOO_LONG: row(400, "invalid_request_error", "Prompt and output together exceed the model's context length."),
  BODY_TOO_LARGE: row(413, "invalid_request_error", "The body is over the limit of this server."),
  METHOD_NOT_ALLOWED: row(405, "invalid_request_error", "The route exists, not with this method."),
  INSUFFICIENT_CREDITS: row(
    402,
    "insufficient_quota",
    "The credit that is left does not cover this request. Top up, or ask for fewer tokens.",
  ),
  BUDGET_EXCEEDED: row(
    402,
    "insufficient_quota",
    "A budget of the API key or of its project does not cover this request, whatever the wallet has. The answer names it and says when it begins anew.",
  ),
  IDEMPOTENCY_KEY_REQUIRED: row(
    400,
    "invalid_request_error",
    'This mutation moves money: add `@idempotent(key: "…")`.',
  ),
  IDEMPOTENCY_KEY_REUSED: row(
    422,
    "invalid_request_error",
    "The same key came with another input. Use a new key for a new act.",
  ),
  REQUEST_IN_FLIGHT: row(
    409,
    "invalid_request_error",
    "The first request with this idempotency key still runs. Repeat after `Retry-After` seconds: the answer will be the same.",
    true,
  ),
  ANSWER_NOT_KEPT: row(
    409,
    "invalid_request_error",
    "The request with this idempotency key was answered and charged, once; its answer was too large to be kept. The message names the request and what it cost.",
  ),
  ANSWER_ABANDONED: row(
    409,
    "invalid_request_error",
    "Ends the repeat of a stream whose first client left before its end: what was delivered by then was charged, and is all there is. Use a new key.",
  ),
  STATE_CONFLICT: row(409, "invalid_request_error", "The object's state does not allow this act."),
  PERIOD_CLOSED: row(
    409,
    "invalid_request_error",
    "The month's books are closed. What comes late is booked into the first open month.",
  ),
  VERSION_CONFLICT: row(
    409,
    "invalid_request_error",
    "The object changed since it was read. Read it again and repeat.",
  ),
  ALREADY_EXISTS: row(409, "invalid_request_error", "An object with this identity exists already."),
  FACILITY_LIMIT_EXCEEDED: row(409, "invalid_request_error", "The drawdown would take the facility over its limit."),
  COVERAGE_BELOW_FLOOR: row(
    409,
    "invalid_request_error",
    "The dollars behind the facility's credits would not cover what they may cost providers; the message has the figures.",
  ),
  COVENANT_BREACHED: row(
    409,
    "invalid_request_error",
    "The act would break a covenant of the facility; the message says which, and what would fit.",
  ),
  BLOCK_EXCEEDS_AVAILABLE: row(
    409,
    "invalid_request_error",
    "More credit was to be blocked than is free. Leave the amount out to block everything.",
  ),
  MULTIPLIER_OUT_OF_BOUNDS: row(
    400,
    "invalid_request_error",
    "Each dollar becomes 1.25 to 1.50 of credit; the multiplier must lie between.",
  ),
  RATE_CARD_INSOLVENT: row(
    409,
    "invalid_request_error",
    "The rate card could owe providers more than was funded; the message has the figures.",
  ),
  SECOND_PERSON_REQUIRED: row(409, "invalid_request_error", "Whoever proposed this cannot approve it: another must."),
  STATEMENT_MISMATCH: row(
    409,
    "invalid_request_error",
    "Usage, lines and ledger do not say the same of the month; the message has the figures. Nothing was changed.",
  ),
  UPSTREAM_URL_REFUSED: row(
    400,
    "invalid_request_error",
    "The endpoint's URL may not be called from here; the message says why.",
  ),
  SETTLEMENT_REFUSED: row(
    409,
    "invalid_request_error",
    "The hold of this request was resolved before it could be settled.",
  ),
  NO_ROUTE: row(503, "service_unavailable", "Providers offer the model, but none can take the request now.", true),
  UPSTREAM_FAILED: row(502, "upstream_error", "Every provider that was tried failed before the first token.", true),
  UPSTREAM_TIMEOUT: row(504, "upstream_error", "The provider did not answer in time.", true),
  UPSTREAM_TRUNCATED: row(
    502,
    "upstream_error",
    "The provider's answer broke off. What was delivered is charged.",
    true,
  ),
  DATABASE_UNAVAILABLE: row(
    503,
    "service_unavailable",
    "The ledger cannot be reached: nothing was admitted, nothing charged.",
    true,
  ),
  COST_LIMIT_EXCEEDED: row(
    400,
    "invalid_request_error",
    "The operation costs more points than one operation may. Ask for smaller pages, or in several operations.",
  ),
  THROTTLED: row(
    429,
    "rate_limit_exceeded",
    "The allowance of this key, person or address is used up. Repeat after `Retry-After` seconds.",
    true,
  ),
  RATE_LIMIT_EXCEEDED: row(
    429,
    "requests",
    "The key or its organisation has sent as many requests or tokens this minute, or runs as many requests at once, as it may. Repeat after `retry-after-ms`.",
    true,
  ),
  PROVIDERS_BUSY: row(
    429,
    "rate_limit_exceeded",
    "Every provider of the model serves as many requests as it can, and the queue is full or took too long. Repeat after `retry-after-ms`.",
    true,
  ),
  TIMEOUT: row(
    504,
    "server_error",
    "The operation took longer than it may. Ask for less; of a mutation, read first whether it happened.",
  ),
  PERSISTED_DOCUMENT_NOT_FOUND: row(
    404,
    "invalid_request_error",
    "No document of this server's manifest has this `documentId`.",
  ),
  PERSISTED_DOCUMENT_REQUIRED: row(
    403,
    "permission_error",
    "This key may send documents of the manifest only: by `documentId`, or word for word.",
  ),
  OVERLOADED: row(
    503,
    "service_unavailable",
    "This server has as much work as it can do well. Try again shortly.",
    true,
  ),
  SHUTTING_DOWN: row(503, "service_unavailable", "This server is draining. Another one will answer.", true),
  INTERNAL: row(500, "server_error", "A fault of ours. Quote the request id."),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

/** An expected failure with a stable code; edges turn it into GraphQL `extensions.code`, an HTTP status or an OpenAI body. */
export class DomainError extends Error {
  /** Path of the input field at fault, without the `input` root. */
  readonly field: readonly string[] | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: { field?: string | readonly string[]; details?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "DomainError";
    this.field = typeof options.field === "string" ? [options.field] : options.field;
    this.details = options.details;
  }

  get status(): number {
    return errorTable[this.code].status;
  }
}

/** The same words for what does not exist and for what is not the viewer's, so that nobody learns which it is. */
export function notFound(what: string, field?: string): DomainError {
  return new DomainError(
    "NOT_FOUND",
    `No such ${what}, or not one that you may see.`,
    field === undefined ? {} : { field },
  );
}
