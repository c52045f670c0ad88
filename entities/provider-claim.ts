/** What a provider says that it is owed for an attempt that was never charged, with the relay token as its evidence. */
import { Check, Column, Entity, Index } from "typeorm";
import type { ClaimBound, ClaimState, RoutingOutcome } from "../schema/enums";
import { At, Big, Id, Int, Nano, Ref, Text } from "./columns";

/** No foreign key to a request: what is claimed is one that left no record. */
@Entity("provider_claim")
@Check("provider_claim_state_check", "state IN ('SUBMITTED','PAID','REJECTED')")
@Check("provider_claim_bound_check", "bounded_by IN ('CLAIM','OFFERING','REQUEST_BODY','HOLD','POLICY')")
@Check(
  "provider_claim_amount_check",
  "amount_nano_usd BETWEEN 1 AND 10000000000 AND amount_nano_usd <= claimed_nano_usd",
)
@Index("provider_claim_attempt_key", ["requestId", "attempt"], { unique: true })
@Index("provider_claim_provider", ["providerId"])
export class ProviderClaim {
  @Id() id!: string;
  @Ref("Organisation") providerId!: string;
  @Ref("Endpoint") endpointId!: string;
  @Ref("Offering") offeringId!: string;
  @Column("uuid") requestId!: string;
  @Int() attempt!: number;
  /** When the relay signed the attempt. */
  @At() attemptedAt!: Date;
  @Big() claimedPromptTokens!: bigint;
  @Big() claimedCompletionTokens!: bigint;
  @Text({ nullable: true }) evidence!: string | null;
  @Ref("Fixing") fixingId!: string;
  @Big() sharePpm!: bigint;
  /** What the claimed tokens would earn. */
  @Nano() claimedNanoUsd!: bigint;
  /** The most that what is known of the request allows. */
  @Nano() boundNanoUsd!: bigint;
  @Text() boundedBy!: ClaimBound;
  /** The lesser of both: what waits in suspense. */
  @Nano() amountNanoUsd!: bigint;
  /** What the relay wrote down about the request, if it lived to. */
  @Text({ nullable: true }) routingOutcome!: RoutingOutcome | null;
  /** How it says that this attempt ended. */
  @Text({ nullable: true }) attemptResult!: string | null;
  @Text() state!: ClaimState;
  @At() submittedAt!: Date;
  @At({ nullable: true }) decidedAt!: Date | null;
  @Text({ nullable: true }) decision!: string | null;
  /** Billing month that it was paid in. */
  @Text({ nullable: true }) period!: string | null;
  @Int() version!: number;
}
