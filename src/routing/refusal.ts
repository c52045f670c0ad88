/** Why a candidate cannot take a request: one code per reason, the first that applies. */
import type { SlaTierCode } from "../../schema/enums";
import type { Candidate, RouteRequest } from "./candidate";
import { isCoolingDown } from "./cooldown";

/**
 * In the order in which they are looked at: what is wrong for good before what passes by itself, so that a provider who
 * asks "why not me" first hears what it must change.
 */
export const RefusalReason = {
  MODEL_MISMATCH: "MODEL_MISMATCH",
  OFFERING_NOT_LIVE: "OFFERING_NOT_LIVE",
  ENDPOINT_NOT_LIVE: "ENDPOINT_NOT_LIVE",
  REGION_MISMATCH: "REGION_MISMATCH",
  TIER_BELOW_ASKED: "TIER_BELOW_ASKED",
  /** The credit that pays for the request is kept for other accelerators. */
  ACCELERATOR_NOT_COVERED: "ACCELERATOR_NOT_COVERED",
  /** Prompt and output exceed the context length, or the output alone what the offering writes at most. */
  CONTEXT_TOO_LONG: "CONTEXT_TOO_LONG",
  IN_MAINTENANCE: "IN_MAINTENANCE",
  /** No window lists a GPU now. */
  NO_CAPACITY_WINDOW: "NO_CAPACITY_WINDOW",
  NOT_PRICED: "NOT_PRICED",
  /** Waits out a Retry-After or an open breaker, or a half-open breaker's trial is still out. */
  COOLING_DOWN: "COOLING_DOWN",
  SATURATED: "SATURATED",
  ALREADY_TRIED: "ALREADY_TRIED",
} as const;
export type RefusalReason = keyof typeof RefusalReason;

const tierRank: Readonly<Record<SlaTierCode, number>> = { STANDARD: 0, PREMIUM: 1, ENTERPRISE: 2 };

/** The first reason against `candidate`, or null when it can take the request now. */
export function refusalOf(candidate: Candidate, request: RouteRequest, nowMs: number): RefusalReason | null {
  if (candidate.model !== request.model) return "MODEL_MISMATCH";
  if (candidate.offeringState !== "LIVE") return "OFFERING_NOT_LIVE";
  if (candidate.endpointState !== "LIVE") return "ENDPOINT_NOT_LIVE";
  if (request.region !== undefined && candidate.region !== request.region) return "REGION_MISMATCH";
  if (request.slaTierAtLeast !== undefined && tierRank[candidate.slaTier] < tierRank[request.slaTierAtLeast]) {
    return "TIER_BELOW_ASKED";
  }
  if (request.accelerators !== undefined && !request.accelerators.includes(candidate.accelerator)) {
    return "ACCELERATOR_NOT_COVERED";
  }
  if (request.promptTokensEstimate + request.maxTokens > candidate.contextLength) return "CONTEXT_TOO_LONG";
  if (request.maxTokens > candidate.maxOutputTokens) return "CONTEXT_TOO_LONG";
  if (candidate.inMaintenance) return "IN_MAINTENANCE";
  if (candidate.listedGpus <= 0) return "NO_CAPACITY_WINDOW";
  if (!candidate.priced) return "NOT_PRICED";
  if (isCoolingDown(candidate.live, nowMs)) return "COOLING_DOWN";
  if (candidate.live.inFlight >= candidate.slots) return "SATURATED";
  if (request.excludeEndpointIds.has(candidate.endpointId)) return "ALREADY_TRIED";
  return null;
}
