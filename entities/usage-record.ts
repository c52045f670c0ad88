/** What one charged request used, what the startup was charged and what the provider earned. One per request, for ever. */
import { Check, Column, Entity, Index } from "typeorm";
import type { UsageOutcome } from "../schema/enums";
import { At, Big, Flag, Id, Int, Nano, Text } from "./columns";

/** Written in the group commit that captures the hold; no foreign keys for the same reason as `transfer`. */
@Entity("usage_record")
@Check("usage_record_outcome_check", "outcome IN ('COMPLETED','ABORTED','PARTIAL')")
@Index("usage_record_startup", ["startupId", "id"])
@Index("usage_record_provider", ["providerId", "period", "id"])
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
  @Text() accelerator!: string;
  @Text() region!: string;
  /** Billing month, `YYYY-MM` UTC. */
  @Text() period!: string;
  @Text() outcome!: UsageOutcome;
  @Int() promptTokens!: number;
  @Int() completionTokens!: number;
  /** The provider's figures were missing or outside what the relay saw; the bound was charged. */
  @Flag() usageBounded!: boolean;
  @Big() gpuNanos!: bigint;
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
}
