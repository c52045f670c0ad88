/** Headers of our own making: none of the client's goes to a provider, none of the provider's to a client. */
import type { Schema } from "./shapes";

const text: Schema = { type: "string" };
const rate = (description: string): Schema => ({ description, schema: text });

export const headers = {
  "x-request-id": {
    description: "Id of the usage record and of the routing decision. Quote it when something went wrong.",
    required: true,
    schema: text,
  },
  "x-should-retry": {
    description: "Whether the same request may succeed later; official clients obey it.",
    required: true,
    schema: { enum: ["true", "false"] },
  },
  "x-exergy-attempts": { description: "How many endpoints were asked; charged once.", schema: text },
  "x-exergy-held": { description: "What was set aside for the request, in CRD.", schema: text },
  "x-exergy-cost": { description: "What was charged, in CRD. Of a stream it follows as a trailer.", schema: text },
  "x-exergy-credit-remaining": {
    description: "What is left, in CRD, as far as this relay knows without asking; absent where it does not.",
    schema: text,
  },
  "x-exergy-replayed": {
    description: "The answer to an earlier request, whose `x-request-id` this is; nothing was charged for it again.",
    schema: { const: "true" },
  },
  "retry-after": { description: "Seconds, of errors that pass.", schema: text },
  "retry-after-ms": { description: "The same in milliseconds, where it is known so well.", schema: text },
  "x-ratelimit-limit-requests": rate("Requests a minute."),
  "x-ratelimit-limit-tokens": rate("Tokens a minute."),
  "x-ratelimit-remaining-requests": rate("Requests that are left now."),
  "x-ratelimit-remaining-tokens": rate("Tokens that are left now."),
  "x-ratelimit-reset-requests": rate("Until all requests are there again, e.g. `1m0s` or `6ms`."),
  "x-ratelimit-reset-tokens": rate("Until all tokens are there again."),
} as const satisfies Readonly<Record<string, Schema>>;

export type HeaderName = keyof typeof headers;

export const rateHeaders = (Object.keys(headers) as HeaderName[]).filter((name) => name.startsWith("x-ratelimit-"));
/** Of every answer of an operation; what a whole or streamed one has besides stands with it. */
export const inferenceHeaders: readonly HeaderName[] = [
  "x-request-id",
  "x-exergy-attempts",
  "x-exergy-held",
  "x-exergy-cost",
  "x-exergy-credit-remaining",
  "x-exergy-replayed",
  ...rateHeaders,
];

export function answerHeaders(...names: readonly HeaderName[]): Record<string, Schema> {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}
