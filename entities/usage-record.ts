/** What one charged request used, what the startup was charged and what the provider earned. One per request, for ever. */
import { Check, Column, Entity, Index } from "typeorm";
import type { ClientSegment, UsageOutcome, Workload } from "../schema/enums";
import { At, Big, Flag, Id, Int, Nano, Text } from "./columns";

/** Written in the group commit that captures the hold; no foreign keys for the same reason as `transfer`. */
@Entity("usage_record")
@Check("usage_record_outcome_check", "outcome IN ('COMPLETED','ABORTED','PARTIAL')")
@Check("usage_record_workload_check", "workload IN ('INFERENCE','EMBEDDINGS','BATCH','FINE_TUNING')")
@Index("usage_record_startup", ["startupId", "id"])
@Index("usage_record_provider", ["providerId", "period", "id"])
@Index("usage_record_bounded", ["id"], { where: "usage_bounded" })
export class UsageRecord {
  /** The request's id, which is also the hold's. */
  @Id() id!: string;
  @Column("uuid") startupId!: string;
  @Column("uuid") apiKeyId!: string;
  @Column("uuid") providerId!: string;
  @Column("uuid") endpointId!: string;
  @Column("uuid") offeringId!: string;
  @Column("uuid") fixingId!: string;
  @Column("uuid") rateCardId!: string;
  @Text() model!: string;
  @Text() workload!: Workload;
  /** Of the startup, when it was charged: what a statement says of clients without naming one. */
  @Text() segment!: ClientSegment;
  @Text() accelerator!: string;
  @Text() region!: string;
  /** Billing month, `YYYY-MM` UTC. */
  @Text() period!: string;
  @Text() outcome!: UsageOutcome;
  @Int() promptTokens!: number;
  @Int() completionTokens!: number;
  /** The provider's figures were missing or outside what the relay saw; the bound was charged. */
  @Flag() usageBounded!: boolean;
  /** What the provider said, where it was a number; null when it said nothing usable. */
  @Big({ nullable: true }) claimedPromptTokens!: bigint | null;
  @Big({ nullable: true }) claimedCompletionTokens!: bigint | null;
  @Big() gpuNanos!: bigint;
  /** What had been set aside for it. */
  @Nano() heldNanoCredit!: bigint;
  /** The lease that it was charged to; null when it had a hold of its own. */
  @Column("uuid", { nullable: true }) leaseId!: string | null;
  @Nano() chargeNanoCredit!: bigint;
  @Nano() accrualNanoUsd!: bigint;
  @Nano() spreadNanoUsd!: bigint;
  @Big() accrualSharePpm!: bigint;
  @Int() attempts!: number;
  @Flag() streamed!: boolean;
  /** To the first byte of content at the relay; null when none came. */
  @Int({ nullable: true }) ttftMs!: number | null;
  @Int() durationMs!: number;
  @At() completedAt!: Date;
  /** SHA-256 (base64url) of the body that the startup sent; null of records from before receipts. */
  @Text({ nullable: true }) requestHash!: string | null;
  /** The same of the body that the provider received, as its relay token says. */
  @Text({ nullable: true }) upstreamHash!: string | null;
}
