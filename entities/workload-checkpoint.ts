/** A state of a model in training that its provider kept. */
import { Entity, Index } from "typeorm";
import { At, Id, Int, Json, Ref, Text } from "./columns";

@Entity("workload_checkpoint")
@Index("workload_checkpoint_step_key", ["jobId", "step"], { unique: true })
export class WorkloadCheckpoint {
  @Id() id!: string;
  @Ref("WorkloadJob") jobId!: string;
  @Int() step!: number;
  /** Our name of it. */
  @Text() model!: string;
  /** The provider's, which nobody hears. */
  @Text() upstreamModel!: string;
  @Json() metrics!: Record<string, number>;
  @At() createdAt!: Date;
}
