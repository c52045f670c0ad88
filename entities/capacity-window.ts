/** A span of time in which a provider's GPUs of one kind in one place are offered, extra, or down. */
import { Check, Entity, Index } from "typeorm";
import type { CapacityWindowKind } from "../schema/enums";
import { At, CodeRef, Id, Int, Ref, Text } from "./columns";

@Entity("capacity_window")
@Check("capacity_window_kind_check", "kind IN ('BASELINE','BURST','MAINTENANCE')")
@Check("capacity_window_span_check", "ends_at IS NULL OR ends_at > starts_at")
@Check("capacity_window_gpu_count_check", "gpu_count > 0")
@Index("capacity_window_provider", ["providerId", "startsAt"])
export class CapacityWindow {
  @Id() id!: string;
  @Ref("Organisation") providerId!: string;
  @CodeRef("Accelerator") accelerator!: string;
  @Text() region!: string;
  @Text() zone!: string;
  @Text() kind!: CapacityWindowKind;
  @Int() gpuCount!: number;
  @At() startsAt!: Date;
  /** Null: until further notice. */
  @At({ nullable: true }) endsAt!: Date | null;
  @At({ nullable: true }) cancelledAt!: Date | null;
  @At() createdAt!: Date;
  @Int() version!: number;
}
