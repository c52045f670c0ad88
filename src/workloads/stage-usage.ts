/** What one stage of a job is charged for: what its provider reported since the last one, within what we saw ourselves. */
import { type BoundedUsage, boundUsage } from "../metering/usage-bounds";
import { gpuNanosFor, type Throughput } from "../pricing/token-price";

/** A tokenizer that works on bytes makes no more tokens than there are bytes; each epoch reads all of them once. */
export const trainedTokensMax = (fileBytes: bigint, epochs: number): bigint => fileBytes * BigInt(epochs);

const BYTES_PER_TOKEN_ESTIMATE = 4n;
const NANOS_PER_MS = 1_000_000n;

export interface TrainingEvidence {
  /** `trained_tokens` as the provider has it now, whatever it is. */
  readonly claim: unknown;
  readonly tokensMax: bigint;
  /** Charged by earlier stages. */
  readonly chargedTokens: bigint;
  /** All of the work is done: a figure that is missing is estimated. */
  readonly finished: boolean;
}

/** Null: nothing to charge. */
export function trainingUsage({ claim, tokensMax, chargedTokens, finished }: TrainingEvidence): BoundedUsage | null {
  const claimed = typeof claim === "number" && Number.isSafeInteger(claim) && claim >= 0 ? BigInt(claim) : null;
  const missing = claim === undefined || claim === null;
  if (claimed === null && !finished) return null;
  const total = claimed ?? tokensMax / BYTES_PER_TOKEN_ESTIMATE;
  const within = total < tokensMax ? total : tokensMax;
  if (within <= chargedTokens) return null;
  return {
    promptTokens: Number(within - chargedTokens),
    completionTokens: 0,
    clamped: claimed === null ? !missing : claimed > tokensMax,
    source: claimed === null ? "ESTIMATED" : "REPORTED",
    claimedPromptTokens: claimed === null ? null : Number(claimed - chargedTokens),
    claimedCompletionTokens: claimed === null ? null : 0,
  };
}

/** What is known of one answered line of a batch. */
export interface LineEvidence {
  /** `usage` of the answer. */
  readonly usage: unknown;
  readonly promptBytes: number;
  /** Over all choices. */
  readonly maxCompletionTokens: number;
  readonly deliveredBytes: number;
  readonly choices: number;
  readonly hidesOutput: boolean;
}

/** The lines of one stage together; null: none of them is charged. */
export function linesUsage(lines: readonly LineEvidence[]): BoundedUsage | null {
  if (lines.length === 0) return null;
  const each = lines.map(({ usage, ...evidence }) => boundUsage(usage, { ...evidence, contentChunks: 0 }));
  const sum = (of: (usage: BoundedUsage) => number) => each.reduce((total, usage) => total + of(usage), 0);
  const claims = (of: (usage: BoundedUsage) => number | null) =>
    each.every((usage) => of(usage) !== null) ? sum((usage) => of(usage) ?? 0) : null;
  return {
    promptTokens: sum((usage) => usage.promptTokens),
    completionTokens: sum((usage) => usage.completionTokens),
    clamped: each.some((usage) => usage.clamped),
    source: each.every((usage) => usage.source === "REPORTED") ? "REPORTED" : "ESTIMATED",
    claimedPromptTokens: claims((usage) => usage.claimedPromptTokens),
    claimedCompletionTokens: claims((usage) => usage.claimedCompletionTokens),
  };
}

/**
 * An endpoint of so many GPUs has no more GPU time than its GPUs had since the job was handed over. Tokens beyond that are
 * cut, both kinds by the same share; null: nothing is left.
 */
export function withinWallTime(
  usage: BoundedUsage,
  terms: { throughput: Throughput; elapsedMs: number; gpuCount: number; chargedGpuNanos: bigint },
): BoundedUsage | null {
  const wall = BigInt(Math.max(0, Math.floor(terms.elapsedMs))) * NANOS_PER_MS * BigInt(terms.gpuCount);
  const allowed = wall > terms.chargedGpuNanos ? wall - terms.chargedGpuNanos : 0n;
  const asked = gpuNanosFor(usage, terms.throughput);
  if (asked <= allowed) return usage;
  const cut = (tokens: number) => Number((BigInt(tokens) * allowed) / asked);
  const [promptTokens, completionTokens] = [cut(usage.promptTokens), cut(usage.completionTokens)];
  if (promptTokens + completionTokens === 0) return null;
  return { ...usage, promptTokens, completionTokens, clamped: true };
}

const STAGE_SHARE = 100n;

/** While a job runs, a stage is worth at least a hundredth of all that the job can come to: at most so many bookings. */
export function isWorthAStage(
  usage: BoundedUsage,
  bounds: { promptTokens: bigint; completionTokens: bigint },
): boolean {
  const tokens = BigInt(usage.promptTokens + usage.completionTokens);
  return tokens * STAGE_SHARE >= bounds.promptTokens + bounds.completionTokens;
}
