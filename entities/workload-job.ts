/** A batch or a fine-tuning job at one training endpoint, under one hold that is charged in stages until the job has ended. */
import { Check, Column, Entity, Index } from "typeorm";
import type { WorkloadFailure, WorkloadJobState, WorkloadKind } from "../schema/enums";
import type { LineFault } from "../schema/line-fault";
import { At, Big, Flag, Id, Int, Json, Nano, Ref, Text } from "./columns";

/** What the client said and hears again. */
export interface WorkloadTerms {
  readonly metadata: Readonly<Record<string, string>> | null;
  /** Of a batch: where each line would have gone as a request of its own. */
  readonly url?: string;
  readonly completionWindow?: string;
  readonly epochs?: number;
  readonly batchSize?: number | null;
  readonly learningRateMultiplier?: string | null;
  readonly seed?: number;
  readonly suffix?: string | null;
}

@Entity("workload_job")
@Check("workload_job_kind_check", "kind IN ('BATCH','FINE_TUNING')")
@Check(
  "workload_job_state_check",
  "state IN ('QUEUED','SUBMITTED','RUNNING','FINALISING','SUCCEEDED','FAILED','CANCELLED','EXPIRED')",
)
@Check("workload_job_amounts_check", "captured_nano_credit BETWEEN 0 AND held_nano_credit")
@Check("workload_job_ended_check", "(ended_at IS NOT NULL) = (state IN ('SUCCEEDED','FAILED','CANCELLED','EXPIRED'))")
@Check("workload_job_placed_check", "endpoint_id IS NOT NULL OR state = 'FAILED'")
@Index("workload_job_startup", ["startupId", "id"])
@Index("workload_job_provider", ["providerId", "id"])
@Index("workload_job_idempotency_key", ["startupId", "idempotencyKey"], {
  unique: true,
  where: "idempotency_key IS NOT NULL",
})
@Index("workload_job_due", ["nextPollAt"], { where: "ended_at IS NULL" })
@Index("workload_job_open", ["endpointId"], { where: "ended_at IS NULL" })
export class WorkloadJob {
  /** Also the id of its first hold, and of the requests that the provider sees. */
  @Id() id!: string;
  @Ref("Organisation") startupId!: string;
  @Column("uuid") apiKeyId!: string;
  @Text() kind!: WorkloadKind;
  @Text() state!: WorkloadJobState;
  @Text() model!: string;
  @Json() terms!: WorkloadTerms;
  @Ref("WorkloadFile") inputFileId!: string;
  @Ref("WorkloadFile", { nullable: true }) validationFileId!: string | null;
  @Ref("WorkloadFile", { nullable: true }) outputFileId!: string | null;
  @Ref("WorkloadFile", { nullable: true }) errorFileId!: string | null;
  @Text({ nullable: true }) resultModel!: string | null;
  /** Lines of a batch: in all, answered, and answered with an error. */
  @Int() lineCount!: number;
  @Int() answeredCount!: number;
  @Int() errorCount!: number;

  /** Where it runs; null when it was refused for its input. */
  @Ref("Organisation", { nullable: true }) providerId!: string | null;
  @Ref("Endpoint", { nullable: true }) endpointId!: string | null;
  @Ref("Offering", { nullable: true }) offeringId!: string | null;
  /** What the provider calls its things; nobody else ever hears them. */
  @Text({ nullable: true }) upstreamFileId!: string | null;
  @Text({ nullable: true }) upstreamValidationFileId!: string | null;
  @Text({ nullable: true }) upstreamJobId!: string | null;
  /** Bytes of the provider's output file that were read, and the last step of its training that was heard of. */
  @Big() upstreamOutputRead!: bigint;
  @Int() upstreamStep!: number;

  /** Its price, frozen when it was admitted. */
  @Column("uuid", { nullable: true }) fixingId!: string | null;
  @Nano() fixingNanoUsdPerGpuHour!: bigint;
  @Column("uuid", { nullable: true }) rateCardId!: string | null;
  @Int() prefillTokensPerGpuSecond!: number;
  @Int() decodeTokensPerGpuSecond!: number;
  @Int() gpuCount!: number;
  /** Output tokens per choice of a line that names no limit. */
  @Int() maxOutputTokens!: number;

  /** The most tokens that it can come to, by what we saw; and those that were charged. */
  @Big() promptTokensBound!: bigint;
  @Big() completionTokensBound!: bigint;
  @Big() promptTokens!: bigint;
  @Big() completionTokens!: bigint;
  @Nano() heldNanoCredit!: bigint;
  @Nano() capturedNanoCredit!: bigint;
  /** The hold that carries what is left; null before the first and after the last. */
  @Column("uuid", { nullable: true }) holdId!: string | null;
  @Int() stageCount!: number;
  /** A provider's figures went beyond what we saw; the bound was charged. */
  @Flag() usageBounded!: boolean;
  /** It ended without a charge although it had run. */
  @Flag() uncaptured!: boolean;

  @At() createdAt!: Date;
  @At({ nullable: true }) submittedAt!: Date | null;
  @At({ nullable: true }) startedAt!: Date | null;
  @At({ nullable: true }) finalisingAt!: Date | null;
  @At({ nullable: true }) cancelAskedAt!: Date | null;
  @At({ nullable: true }) endedAt!: Date | null;
  /** It is over at this instant, however far it is. */
  @At() endsBy!: Date;
  /** When the provider last answered, and when the job was last seen to have moved. */
  @At({ nullable: true }) contactAt!: Date | null;
  @At({ nullable: true }) progressAt!: Date | null;
  @At() nextPollAt!: Date;
  /** Polls in a row that found nobody. */
  @Int() failures!: number;
  @Text({ nullable: true }) failure!: WorkloadFailure | null;
  /** Of a batch whose input cannot be read. */
  @Json() faults!: LineFault[];
  /** By which a repeated request finds the job that it made: the client's key, or else the bytes that it sent. */
  @Text({ nullable: true }) idempotencyKey!: string | null;
  @Text() requestDigest!: string;
  @Int() version!: number;
}
