/** A time in which dollars did not cover what credits may cost, of one facility or of all together, with the figures that opened it. */
import { Entity, Index } from "typeorm";
import { At, Big, Id, Nano, Ref, Text } from "./columns";

@Entity("coverage_alert")
@Index("coverage_alert_open_key", ["subject"], { unique: true, where: "closed_at IS NULL" })
@Index("coverage_alert_facility", ["facilityId"])
export class CoverageAlert {
  @Id() id!: string;
  /** The facility's id, or `ALL`: what there is one open alert of at most. */
  @Text() subject!: string;
  /** Null: all facilities together. */
  @Ref("Facility", { nullable: true }) facilityId!: string | null;
  @Big() ratioPpm!: bigint;
  @Big() floorPpm!: bigint;
  @Nano() backingNanoUsd!: bigint;
  @Nano() outstandingNanoCredit!: bigint;
  /** Dollars that a credit could cost at most, rounded up. */
  @Big() worstCostPpm!: bigint;
  @At() openedAt!: Date;
  @At({ nullable: true }) closedAt!: Date | null;
}
