/** What may go wrong at a route, out of the one error table: one answer per status, naming the codes that it may have. */
import { type ErrorCode, errorTable } from "../../platform/errors";
import { answerHeaders, type HeaderName } from "./headers";
import { type Answer, open, type Schema, schemaRef } from "./shapes";

/** Any route that needs a key: the key, what stands in the path, this server's own state. */
export const everywhere = [
  "UNAUTHENTICATED",
  "FORBIDDEN",
  "BAD_USER_INPUT",
  "DATABASE_UNAVAILABLE",
  "OVERLOADED",
  "SHUTTING_DOWN",
  "INTERNAL",
] as const satisfies readonly ErrorCode[];

/** A request that goes to a provider, besides. */
export const inferenceErrors = [
  "MALFORMED_BODY",
  "BODY_TOO_LARGE",
  "CONTEXT_TOO_LONG",
  "MODEL_NOT_FOUND",
  "OPERATION_NOT_SERVED",
  "INSUFFICIENT_CREDITS",
  "RATE_LIMIT_EXCEEDED",
  "PROVIDERS_BUSY",
  "SETTLEMENT_REFUSED",
  "IDEMPOTENCY_KEY_REUSED",
  "REQUEST_IN_FLIGHT",
  "ANSWER_NOT_KEPT",
  "ANSWER_ABANDONED",
  "NO_ROUTE",
  "UPSTREAM_FAILED",
  "UPSTREAM_TIMEOUT",
  "UPSTREAM_TRUNCATED",
] as const satisfies readonly ErrorCode[];

/** `more`: headers that the route's errors have beside those of every error. */
export function errorAnswers(codes: readonly ErrorCode[], more: readonly HeaderName[] = []): Record<string, Answer> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const { status } = errorTable[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].sort(([a], [b]) => a - b).map(([status, group]) => [String(status), errorAnswer(group, more)]),
  );
}

function errorAnswer(codes: readonly ErrorCode[], more: readonly HeaderName[]): Answer {
  const code: Schema = { enum: codes.map((name) => name.toLowerCase()) };
  const narrowed = { properties: { error: { properties: { code } } } };
  return {
    description: codes.map((name) => `\`${name.toLowerCase()}\`: ${errorTable[name].meaning}`).join("\n\n"),
    headers: answerHeaders(...(codes.some((name) => errorTable[name].retryable) ? retryable : finalError), ...more),
    content: { "application/json": { schema: { allOf: [schemaRef("Error"), narrowed] } } },
  };
}

const finalError = ["x-request-id", "x-should-retry"] as const;
const retryable = [...finalError, "retry-after", "retry-after-ms"] as const;

export const errorSchema: Schema = open(
  {
    error: open(
      {
        message: { type: "string" },
        type: { enum: [...new Set(Object.values(errorTable).map(({ openAiType }) => openAiType))].sort() },
        param: { type: ["string", "null"], description: "The field at fault." },
        code: { enum: Object.keys(errorTable).map((name) => name.toLowerCase()) },
        available: { type: "string", description: "Of `insufficient_credits`, in CRD: credit that is free." },
        needed: { type: "string", description: "What the request was to set aside." },
        held: { type: "string", description: "What other requests have set aside." },
        spent: { type: "string" },
        affordable_tokens: { type: "integer", description: "Output tokens that the free credit covers." },
        reasons: {
          type: "array",
          items: { type: "string" },
          description: "Of `no_route`: why providers were passed over.",
        },
        request_id: { type: "string", description: "Of `answer_not_kept`: the request that was charged." },
        cost: { type: "string", description: "And what it cost, in CRD." },
        position: { type: "integer", description: "Of `malformed_body`: the byte where it stops being JSON." },
      },
      ["message", "type", "param", "code"],
    ),
  },
  ["error"],
  { description: "OpenAI's error body, with fields of ours beside. New fields and codes may come." },
);
