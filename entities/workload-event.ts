/** What a client may read about the course of its job, in our words. */
import { Check, Entity, Index } from "typeorm";
import { At, Id, Json, Ref, Text } from "./columns";

@Entity("workload_event")
@Check("workload_event_level_check", "level IN ('INFO','WARN','ERROR')")
@Index("workload_event_job", ["jobId", "id"])
export class WorkloadEvent {
  @Id() id!: string;
  @Ref("WorkloadJob") jobId!: string;
  @Text() level!: "INFO" | "WARN" | "ERROR";
  @Text() message!: string;
  /** Figures of a training step; null for a message. */
  @Json({ nullable: true }) metrics!: Record<string, number> | null;
  @At() createdAt!: Date;
}
