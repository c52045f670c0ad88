/** What a claim is worth: the accrual of the claimed tokens, and no more than anything that is known of the request allows. */
import type { ClaimBound } from "../../schema/enums";
import { TEMPLATE_TOKENS_MAX } from "../metering/usage-bounds";
import { mulDivDown } from "../money/nano";
import { accrualNanoUsd } from "../pricing/settlement";
import { gpuNanosFor, type Throughput, type TokenUsage } from "../pricing/token-price";

export interface ClaimFacts {
  readonly claimed: TokenUsage;
  readonly throughput: Throughput;
  readonly contextLength: number;
  readonly maxOutputTokens: number;
  readonly fixingNanoUsdPerGpuHour: bigint;
  readonly sharePpm: bigint;
  readonly redemptionFactorPpm: bigint;
  /** What was set aside for the request, where the ledger knows; a lease keeps that to itself. */
  readonly heldNanoCredit: bigint | null;
  /** Null when the provider did not show it. */
  readonly body: { readonly bytes: number; readonly completionTokensMax: number | null } | null;
}

export interface BoundedClaim {
  readonly claimedNanoUsd: bigint;
  readonly boundNanoUsd: bigint;
  /** Never more than either. */
  readonly amountNanoUsd: bigint;
  readonly boundedBy: ClaimBound;
}

/** Ten dollars: some four hours of an H100, which no single request takes. The table refuses more, whoever asks. */
export const CLAIM_NANO_USD_MAX = 10_000_000_000n;

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/**
 * Tokens are cut to what the offering takes and to what the body allows, by the rule that bounds a settlement (a token is at
 * least a byte); the accrual to what the hold would have released at the same price, and to the most that a claim may be.
 * RangeError: as gpuNanosFor.
 */
export function boundClaim(facts: ClaimFacts): BoundedClaim {
  const worth = (usage: TokenUsage): bigint =>
    accrualNanoUsd(gpuNanosFor(usage, facts.throughput), facts.fixingNanoUsdPerGpuHour, facts.sharePpm);
  const claimedNanoUsd = worth(facts.claimed);
  let usage = facts.claimed;
  let amountNanoUsd = claimedNanoUsd;
  let boundedBy: ClaimBound = "CLAIM";
  const bound = (by: ClaimBound, lowered: bigint): void => {
    if (lowered >= amountNanoUsd) return;
    amountNanoUsd = lowered;
    boundedBy = by;
  };
  let most: TokenUsage = { promptTokens: facts.contextLength, completionTokens: facts.maxOutputTokens };
  usage = within(usage, most);
  bound("OFFERING", worth(usage));
  if (facts.body !== null) {
    most = within(most, {
      promptTokens: facts.body.bytes + TEMPLATE_TOKENS_MAX,
      completionTokens: facts.body.completionTokensMax ?? facts.maxOutputTokens,
    });
    bound("REQUEST_BODY", worth(within(usage, most)));
  }
  // A charge is hours × fixing × redemption factor, an accrual hours × fixing × share.
  const { heldNanoCredit, sharePpm, redemptionFactorPpm } = facts;
  const held = heldNanoCredit === null ? null : mulDivDown(heldNanoCredit, sharePpm, redemptionFactorPpm);
  if (held !== null) bound("HOLD", held);
  bound("POLICY", CLAIM_NANO_USD_MAX);
  const bounds = [worth(most), ...(held === null ? [] : [held]), CLAIM_NANO_USD_MAX];
  return { claimedNanoUsd, boundNanoUsd: bounds.reduce(least), amountNanoUsd, boundedBy };
}

const within = (usage: TokenUsage, most: TokenUsage): TokenUsage => ({
  promptTokens: Math.min(usage.promptTokens, most.promptTokens),
  completionTokens: Math.min(usage.completionTokens, most.completionTokens),
});
