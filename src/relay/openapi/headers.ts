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
  "retry-after": { description: "Seconds, of errors that pass.", schema: text },
  "retry-after-ms": { description: "The same in milliseconds, where it is known so well.", schema: text },
  "x-ratelimit-limit-requests": rate("Requests a minute."),
  "x-ratelimit-limit-tokens": rate("Tokens a minute."),
  "x-ratelimit-remaining-requests": rate("Requests that are left now."),
  "x-ratelimit-remaining-tokens": rate("Tokens that are left now."),
  "x-ratelimit-reset-requests": rate("Until all requests are there again, e.g. `1m0s` or `6ms`."),
  "x-ratelimit-reset-tokens": rate("Until all tokens are there again."),
  "x-exergy-attempts": { description: "Providers that were tried.", schema: text },
  "x-exergy-held": { description: "Credit that was set aside for the request, in CRD.", schema: text },
  "x-exergy-cost": { description: "What it cost, in CRD; of a stream a trailer.", schema: text },
  "x-exergy-credit-remaining": {
    description: "Credit that is left, in CRD, where this server knows it.",
    schema: text,
  },
  "x-exergy-replayed": { description: "`true`: the answer of an earlier request with the same key.", schema: text },
} as const satisfies Readonly<Record<string, Schema>>;

export type HeaderName = keyof typeof headers;

const named = (beginning: string) =>
  (Object.keys(headers) as HeaderName[]).filter((name) => name.startsWith(beginning));
/** Of every request that counts against the limits of its key. */
export const rateHeaders: readonly HeaderName[] = named("x-ratelimit-");
/** What an operation's errors have beside those of every error. */
export const inferenceErrorHeaders: readonly HeaderName[] = [...rateHeaders, ...named("x-exergy-")];
export const inferenceHeaders: readonly HeaderName[] = ["x-request-id", ...inferenceErrorHeaders];

export function answerHeaders(...names: readonly HeaderName[]): Record<string, Schema> {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}
