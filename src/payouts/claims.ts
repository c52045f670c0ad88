/** The door to claims: a provider says, with the relay's own token, that an attempt was never charged; an operator decides. */
import { z } from "zod";
import { ProviderClaim } from "../../entities/provider-claim";
import type { ClaimState } from "../../schema/enums";
import { checkIdempotencyKey, claimKey } from "../accounts/idempotency";
import { organisationScope, requireKind, type Viewer } from "../accounts/viewer";
import { made, recordAct } from "../audit/audit";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError, notFound } from "../platform/errors";
import { newId } from "../platform/ids";
import { checked, existingId, violatesUnique } from "../platform/input";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
import { transaction } from "../platform/transaction";
import type { Pricing } from "../pricing/pricing";
import { readProvenBody, readRelayToken, type SigningKey } from "./claim-evidence";
import { checkClaimMove } from "./claim-states";
import { checkAge, measureClaim, type NewClaim, settled } from "./claim-worth";

export interface ClaimDecision {
  readonly id: string;
  readonly pays: boolean;
  readonly reason: string;
}

export interface ClaimFilter {
  readonly providerId?: string | null | undefined;
  readonly endpointId?: string | null | undefined;
  readonly state?: ClaimState | null | undefined;
}

const note = z
  .string()
  .trim()
  .min(1)
  .max(2_000)
  .regex(/^(?:\P{Cc}|\n)*$/u, "must not contain control characters");
const tokens = z.int().min(0);
const claimFields = z.object({ promptTokens: tokens, completionTokens: tokens, evidence: note.nullish() });

export class Claims {
  private readonly db: Database;
  private readonly pricing: Pick<Pricing, "rateCard">;
  private readonly keys: readonly SigningKey[];
  private readonly clock: Clock;
  private readonly realClock: Clock;

  constructor(dependencies: {
    db: Database;
    pricing: Pick<Pricing, "rateCard">;
    keys: readonly SigningKey[];
    clock: Clock;
    /** By which relay tokens are dated; the same when left out. */
    realClock?: Clock;
  }) {
    this.db = dependencies.db;
    this.pricing = dependencies.pricing;
    this.keys = dependencies.keys;
    this.clock = dependencies.clock;
    this.realClock = dependencies.realClock ?? dependencies.clock;
  }

  /**
   * Puts the bounded worth of the claimed tokens into suspense. No startup is ever charged for it.
   * Errors: UNAUTHENTICATED, FORBIDDEN, IDEMPOTENCY_KEY_REQUIRED, IDEMPOTENCY_KEY_REUSED, BAD_USER_INPUT, NOT_FOUND,
   * ALREADY_EXISTS (claimed before), STATE_CONFLICT (charged, still running, too old).
   */
  async submit(viewer: Viewer | null, input: NewClaim, idempotencyKey: string): Promise<ProviderClaim> {
    const known = requireKind(viewer, "WRITE", "PROVIDER", "OPERATOR");
    const key = checkIdempotencyKey(idempotencyKey);
    checked(claimFields, input);
    const proof = readRelayToken(input.relayToken, this.keys);
    const body = input.requestBody == null ? null : readProvenBody(input.requestBody, proof);
    const at = this.clock.now();
    const id = newId();
    const { relayToken, offeringId, promptTokens, completionTokens, evidence = null } = input;
    const told = { relayToken, offeringId, tokens: `${promptTokens}/${completionTokens}`, evidence: `${evidence}` };
    const act = { operation: "claim.submit", input: told, result: { claimId: id }, at };
    const claimId = await transaction(this.db, async (tx) => {
      const earlier = await claimKey(tx, { organisationId: known.organisationId, key, ...act });
      if (earlier !== null) return earlier.claimId!;
      checkAge(proof, this.realClock.now());
      const claim = { ...(await measureClaim(tx, this.pricing, known, input, { proof, body })), id, submittedAt: at };
      await tx.insert(ProviderClaim, claim).catch((error: unknown) => {
        if (!violatesUnique(error, "provider_claim_attempt_key")) throw error;
        throw new DomainError("ALREADY_EXISTS", "This attempt has been claimed before.", { field: "relayToken" });
      });
      await recordAct(tx, known, {
        at,
        action: "claim.submit",
        subjectType: "Claim",
        subjectId: id,
        organisationId: claim.providerId,
        change: made(claim, "requestId", "attempt", "endpointId", "claimedNanoUsd", "amountNanoUsd", "boundedBy"),
      });
      const [row]: { code: string }[] = await tx.query("SELECT ledger_suspend_claim($1) AS code", [id]);
      if (row?.code !== "SUSPENDED") throw settled();
      return id;
    });
    return this.db.source.getRepository(ProviderClaim).findOneByOrFail({ id: claimId });
  }

  /**
   * Pays a claim into what the provider is owed for the first open month, or gives its amount back.
   * Errors: UNAUTHENTICATED, FORBIDDEN, IDEMPOTENCY_KEY_REQUIRED, IDEMPOTENCY_KEY_REUSED, BAD_USER_INPUT, NOT_FOUND,
   * STATE_CONFLICT (decided; charged meanwhile).
   */
  async decide(viewer: Viewer | null, decision: ClaimDecision, idempotencyKey: string): Promise<ProviderClaim> {
    const known = requireKind(viewer, "WRITE", "OPERATOR");
    const key = checkIdempotencyKey(idempotencyKey);
    const { reason } = checked(z.object({ reason: note }), decision);
    const id = existingId(decision.id, "claim");
    const to = decision.pays ? "PAID" : "REJECTED";
    const at = this.clock.now();
    const act = { operation: "claim.decide", input: { id, to, reason }, result: { claimId: id }, at };
    await transaction(this.db, async (tx) => {
      if ((await claimKey(tx, { organisationId: known.organisationId, key, ...act })) !== null) return;
      const claim = await tx.findOneBy(ProviderClaim, { id });
      if (claim === null) throw notFound("claim");
      checkClaimMove(claim.state, to);
      await recordAct(tx, known, {
        at,
        action: "claim.decide",
        subjectType: "Claim",
        subjectId: id,
        organisationId: claim.providerId,
        change: { state: { from: claim.state, to }, decision: { to: reason } },
      });
      const [row]: { code: string }[] = await tx.query("SELECT ledger_decide_claim($1, $2, $3, $4) AS code", [
        id,
        decision.pays,
        reason,
        at,
      ]);
      if (row?.code === "SETTLED") throw settled();
      if (row?.code !== to) throw new DomainError("STATE_CONFLICT", "The claim was decided meanwhile.");
    });
    return this.db.source.getRepository(ProviderClaim).findOneByOrFail({ id });
  }

  /** A provider's own, an operator's all. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (page). */
  async page(viewer: Viewer | null, page: PageRequest, filter: ClaimFilter = {}): Promise<Page<ProviderClaim>> {
    const known = requireKind(viewer, "READ", "PROVIDER", "OPERATOR");
    const providerId = organisationScope(known, "READ", filter.providerId);
    const query = this.db.source.getRepository(ProviderClaim).createQueryBuilder("claim");
    if (providerId !== null) query.andWhere("claim.providerId = :providerId", { providerId });
    if (filter.endpointId != null) {
      query.andWhere("claim.endpointId = :endpointId", { endpointId: existingId(filter.endpointId, "endpoint") });
    }
    if (filter.state != null) query.andWhere("claim.state = :state", { state: filter.state });
    return fetchPage(this.db, query, page);
  }
}
