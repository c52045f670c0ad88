/** Headers of our own making: none of the client's goes to a provider, none of the provider's to a client. */
import type { Schema } from "./shapes";

export const headers = {
  "x-request-id": {
    description: "Id of the usage record and of the routing decision. Quote it when something went wrong.",
    schema: { type: "string" },
  },
  "x-should-retry": {
    description: "Whether the same request may succeed later; official clients obey it.",
    schema: { enum: ["true", "false"] },
  },
  "retry-after": { description: "Seconds, of errors that pass.", schema: { type: "string" } },
} as const satisfies Readonly<Record<string, Schema>>;

export type HeaderName = keyof typeof headers;

export function answerHeaders(...names: readonly HeaderName[]): Record<string, Schema> {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}
