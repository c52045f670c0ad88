/** A spot price that someone saw. */
import { Check, Entity, Index } from "typeorm";
import { At, Big, CodeRef, Id, Nano, Text } from "./columns";

@Entity("spot_observation")
@Check("spot_observation_price_check", "price_nano_usd > 0")
@Check("spot_observation_confidence_check", "confidence_ppm BETWEEN 0 AND 1000000")
@Index("spot_observation_place", ["accelerator", "region", "observedAt"])
export class SpotObservation {
  @Id() id!: string;
  @CodeRef("Accelerator") accelerator!: string;
  @Text() region!: string;
  @Text() source!: string;
  /** Per GPU-hour. */
  @Nano() priceNanoUsd!: bigint;
  @Big() confidencePpm!: bigint;
  @At() observedAt!: Date;
  @At() recordedAt!: Date;
}
