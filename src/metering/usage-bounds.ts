/** What a provider may claim for one request, bounded by what the relay itself saw. */

export interface UsageEvidence {
  /** UTF-8 bytes of the prompt as the client sent it. */
  promptBytes: number;
  /** What the request allowed, over all its choices. */
  maxCompletionTokens: number;
  /** Bytes of visible output that reached the relay. */
  deliveredBytes: number;
  /** Streamed events with output; 0 when the answer was not streamed. */
  contentChunks: number;
  /** Answers to the one request; 1 when left out. */
  choices?: number;
  /** Not all that was written was to be delivered, as with `best_of`. */
  hidesOutput?: boolean;
}

export interface BoundedUsage {
  promptTokens: number;
  completionTokens: number;
  /** The provider claimed something that cannot be: flag it. */
  clamped: boolean;
  /** REPORTED only if both figures were usable. */
  source: "REPORTED" | "ESTIMATED";
  /** What the provider said, where it was a whole number; null when it said nothing of the kind. */
  claimedPromptTokens: number | null;
  claimedCompletionTokens: number | null;
}

/** Tokens that a model's chat template adds around the messages. */
export const TEMPLATE_TOKENS_MAX = 64;
/** Per choice. The end-of-sequence token is counted by servers and covers no byte: a one-letter answer is two honest tokens. */
const END_TOKENS = 1;
const BYTES_PER_TOKEN_ESTIMATE = 4;

/**
 * The bound holds for every byte-level BPE tokenizer: a token covers at least one byte, so bytes are an upper bound of
 * tokens on both sides. Anything that is not a whole number ≥ 0 counts as unreported and is estimated.
 * `reported` is the `usage` value of an OpenAI answer, or undefined. Errors: none.
 */
export function boundUsage(reported: unknown, evidence: UsageEvidence): BoundedUsage {
  const claims = isRecord(reported) ? reported : {};
  // A usage that is there but no object is an invalid claim, not a missing one.
  const malformed = reported !== undefined && reported !== null && !isRecord(reported);
  const prompt = bound(
    claims.prompt_tokens,
    evidence.promptBytes + TEMPLATE_TOKENS_MAX,
    estimateTokens(evidence.promptBytes),
  );
  const completion = bound(
    claims.completion_tokens,
    completionTokensMax(evidence),
    evidence.contentChunks > 0 ? evidence.contentChunks : estimateTokens(evidence.deliveredBytes),
  );
  return {
    promptTokens: prompt.tokens,
    completionTokens: completion.tokens,
    clamped: malformed || prompt.clamped || completion.clamped,
    source: prompt.usable && completion.usable ? "REPORTED" : "ESTIMATED",
    claimedPromptTokens: prompt.claimed,
    claimedCompletionTokens: completion.claimed,
  };
}

/** Output whose bytes could not be told from its frame (chunks without bytes) is bounded by what was allowed alone. */
function completionTokensMax(evidence: UsageEvidence): number {
  const { deliveredBytes, contentChunks, maxCompletionTokens, choices = 1, hidesOutput = false } = evidence;
  if (hidesOutput || (deliveredBytes <= 0 && contentChunks > 0)) return maxCompletionTokens;
  return Math.min(maxCompletionTokens, Math.max(0, deliveredBytes) + END_TOKENS * choices);
}

function bound(claim: unknown, tokensMax: number, estimate: number) {
  const missing = claim === undefined || claim === null;
  const claimed = typeof claim === "number" && Number.isSafeInteger(claim) ? claim : null;
  const usable = claimed !== null && claimed >= 0;
  return {
    claimed,
    usable,
    tokens: Math.min(usable ? claimed : estimate, tokensMax),
    clamped: usable ? claimed > tokensMax : !missing,
  };
}

function estimateTokens(bytes: number): number {
  return Math.ceil(bytes / BYTES_PER_TOKEN_ESTIMATE);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
