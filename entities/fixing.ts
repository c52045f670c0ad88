/** The frozen spot reference of one accelerator, region and hour; every usage record names the one it was priced by. */
import { Check, Column, Entity, Index } from "typeorm";
import { At, CodeRef, Id, Json, Nano, Text } from "./columns";

export interface FixingComponent {
  observationId: string;
  priceNanoUsd: string;
  weightPpm: string;
  trimmed: boolean;
}

@Entity("fixing")
@Check("fixing_price_check", "price_nano_usd > 0")
@Index("fixing_place_hour_key", ["accelerator", "region", "hour"], { unique: true })
export class Fixing {
  @Id() id!: string;
  @CodeRef("Accelerator") accelerator!: string;
  @Text() region!: string;
  @At() hour!: Date;
  /** Per GPU-hour. */
  @Nano() priceNanoUsd!: bigint;
  @Column("text", { array: true }) flags!: string[];
  @Json() components!: FixingComponent[];
  @At() createdAt!: Date;
}
