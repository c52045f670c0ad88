/** What providers are paid as a share of the fixing, and how tiers are read. Versions are never changed, only followed. */
import { Check, Entity, Index } from "typeorm";
import type { PremiumReading, TierReading } from "../schema/enums";
import { At, Big, Id, Int, Text } from "./columns";

@Entity("rate_card")
@Check("rate_card_tier_reading_check", "tier_reading IN ('VOLUME','GRADUATED')")
@Check("rate_card_premium_reading_check", "premium_reading IN ('RELATIVE','POINTS')")
@Index("rate_card_version_key", ["version"], { unique: true })
export class RateCardRow {
  @Id() id!: string;
  @Int() version!: number;
  @At() effectiveAt!: Date;
  @Big() baseSharePpm!: bigint;
  @Text() tierReading!: TierReading;
  @Text() premiumReading!: PremiumReading;
  /** Credits redeem at fixing × this. */
  @Big() redemptionFactorPpm!: bigint;
}
