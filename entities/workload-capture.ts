/** A stage of a job that was charged: the part of its usage between two looks at it. */
import { Entity, Index } from "typeorm";
import { At, Id, Int, Nano, Ref } from "./columns";

@Entity("workload_capture")
@Index("workload_capture_stage_key", ["jobId", "stage"], { unique: true })
export class WorkloadCapture {
  /** Also the id of its hold and of its usage record. */
  @Id() id!: string;
  @Ref("WorkloadJob") jobId!: string;
  /** From 1. */
  @Int() stage!: number;
  @Nano() chargeNanoCredit!: bigint;
  @At() capturedAt!: Date;
}
