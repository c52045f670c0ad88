/** What one API key may send through the relay: a minute's requests and tokens, and requests at once. */
import { z } from "zod";
import type { ApiKey } from "../../entities/api-key";
import { count } from "../platform/input";

/** Null: what the configuration says for every key. */
export interface KeyLimits {
  readonly requestsPerMinute: number | null;
  readonly tokensPerMinute: number | null;
  readonly concurrentRequests: number | null;
}

/** As an input gives them: what is left out is not limited by the key itself. */
export type AskedLimits = { readonly [Name in keyof KeyLimits]?: number | null | undefined };

export const limitFields = z.object({
  requestsPerMinute: count().nullish(),
  tokensPerMinute: count().nullish(),
  concurrentRequests: count().nullish(),
});

export const limitsOf = (asked: AskedLimits | ApiKey | null | undefined): KeyLimits => ({
  requestsPerMinute: asked?.requestsPerMinute ?? null,
  tokensPerMinute: asked?.tokensPerMinute ?? null,
  concurrentRequests: asked?.concurrentRequests ?? null,
});
