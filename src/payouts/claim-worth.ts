/** What of a claim can be known: whose attempt it was, whether it was charged after all, and what it is worth at most. */
import type { EntityManager } from "typeorm";
import { Endpoint } from "../../entities/endpoint";
import { Fixing } from "../../entities/fixing";
import { Offering } from "../../entities/offering";
import type { ProviderClaim } from "../../entities/provider-claim";
import type { RoutingOutcome } from "../../schema/enums";
import { owns, type Viewer } from "../accounts/viewer";
import { DomainError, notFound } from "../platform/errors";
import { existingId } from "../platform/input";
import type { Pricing } from "../pricing/pricing";
import { sharePpm } from "../pricing/rate-card";
import { tierFor } from "../pricing/tier";
import { boundClaim } from "./claim-bound";
import type { ProvenAttempt, ProvenBody } from "./claim-evidence";

export interface NewClaim {
  readonly relayToken: string;
  readonly offeringId: string;
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** The request as the provider received it, byte for byte: its hash is in the token. Never stored. */
  readonly requestBody?: string | null | undefined;
  readonly evidence?: string | null | undefined;
}

interface Known {
  settled: boolean;
  held_nano_credit: string | null;
  hold_state: string | null;
  model: string | null;
  outcome: RoutingOutcome | null;
  result: string | null;
}

const DAY_MS = 86_400_000;
export const CLAIM_WITHIN_MS = 30 * DAY_MS;
/** Beyond the longest request (UPSTREAM_TOTAL_TIMEOUT_MS is ten minutes): until then it may still be charged. */
export const CLAIM_AFTER_MS = 15 * 60_000;

/**
 * Everything about a claim but when it was made. Errors: NOT_FOUND, BAD_USER_INPUT, STATE_CONFLICT (charged, or may still be).
 */
export async function measureClaim(
  tx: EntityManager,
  pricing: Pick<Pricing, "rateCard">,
  viewer: Viewer,
  input: NewClaim,
  { proof, body }: { proof: ProvenAttempt; body: ProvenBody | null },
): Promise<Omit<ProviderClaim, "id" | "submittedAt">> {
  const endpoint = await tx.findOneBy(Endpoint, { id: proof.endpointId });
  // Of another provider's token nobody learns more than that it is not theirs.
  if (endpoint === null || !owns(viewer, endpoint.providerId)) throw notFound("endpoint of yours", "relayToken");
  const offering = await tx.findOneBy(Offering, {
    id: existingId(input.offeringId, "offering"),
    endpointId: endpoint.id,
  });
  if (offering === null) throw notFound("offering", "offeringId");
  const [known]: Known[] = await tx.query("SELECT * FROM claim_evidence($1, $2, $3)", [
    proof.requestId,
    proof.endpointId,
    proof.attempt,
  ]);
  checkClaimable(known!, offering, body);
  const fixing = await fixingAt(tx, endpoint, proof.attemptedAt);
  const card = await pricing.rateCard(proof.attemptedAt, endpoint.providerId);
  const share = sharePpm(card, tierFor(card, 0n));
  const { promptTokens, completionTokens } = input;
  const worth = boundClaim({
    claimed: { promptTokens, completionTokens },
    throughput: offering,
    contextLength: offering.contextLength,
    maxOutputTokens: offering.maxOutputTokens,
    fixingNanoUsdPerGpuHour: fixing.priceNanoUsd,
    sharePpm: share,
    redemptionFactorPpm: card.redemptionFactorPpm,
    heldNanoCredit: known!.held_nano_credit === null ? null : BigInt(known!.held_nano_credit),
    body,
  });
  if (worth.amountNanoUsd <= 0n) {
    throw new DomainError("BAD_USER_INPUT", "completionTokens: there is nothing to claim", {
      field: "completionTokens",
    });
  }
  return {
    providerId: endpoint.providerId,
    endpointId: endpoint.id,
    offeringId: offering.id,
    requestId: proof.requestId,
    attempt: proof.attempt,
    attemptedAt: proof.attemptedAt,
    claimedPromptTokens: BigInt(promptTokens),
    claimedCompletionTokens: BigInt(completionTokens),
    evidence: input.evidence?.trim() ?? null,
    fixingId: fixing.id,
    sharePpm: share,
    ...worth,
    routingOutcome: known!.outcome,
    attemptResult: known!.result,
    state: "SUBMITTED",
    decidedAt: null,
    decision: null,
    period: null,
    version: 1,
  };
}

/** It was charged after all. */
export const settled = () =>
  new DomainError("STATE_CONFLICT", "This attempt was charged, and what it earned is in your accruals.", {
    field: "relayToken",
  });

/** Errors: STATE_CONFLICT. */
export function checkAge({ attemptedAt }: ProvenAttempt, at: Date): void {
  const ageMs = at.getTime() - attemptedAt.getTime();
  if (ageMs >= CLAIM_AFTER_MS && ageMs <= CLAIM_WITHIN_MS) return;
  throw new DomainError(
    "STATE_CONFLICT",
    ageMs > CLAIM_WITHIN_MS
      ? "The attempt is more than 30 days old."
      : `The attempt may still be charged. Claim it from ${new Date(attemptedAt.getTime() + CLAIM_AFTER_MS).toISOString()} on.`,
    { field: "relayToken" },
  );
}

/** Errors: STATE_CONFLICT, BAD_USER_INPUT. */
function checkClaimable(known: Known, offering: Offering, body: ProvenBody | null): void {
  if (known.settled) throw settled();
  if (known.hold_state === "HELD") {
    throw new DomainError("STATE_CONFLICT", "The request may still be charged: its credit is set aside.", {
      field: "relayToken",
    });
  }
  const asked = known.model !== null && known.model !== offering.model;
  if (asked || (body?.model != null && body.model !== offering.upstreamModel)) {
    throw new DomainError("BAD_USER_INPUT", "offeringId: the request was for another model", { field: "offeringId" });
  }
}

/** The one that the attempt would have settled at; of a place whose first fixing came later, that. */
async function fixingAt(tx: EntityManager, { accelerator, region }: Endpoint, at: Date): Promise<Fixing> {
  const of = tx.getRepository(Fixing).createQueryBuilder("f").where({ accelerator, region });
  const fixing =
    (await of.clone().andWhere("f.hour <= :at", { at }).orderBy("f.hour", "DESC").getOne()) ??
    (await of.orderBy("f.hour", "ASC").getOne());
  if (fixing !== null) return fixing;
  throw new DomainError("STATE_CONFLICT", `There is no fixing of ${accelerator} in ${region} to price it by.`);
}
