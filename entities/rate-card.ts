/** What providers are paid as a share of the fixing, and how tiers are read. Versions are never changed, only followed. */
import { Check, Column, Entity, Index } from "typeorm";
import type { PremiumReading, RateCardState, TierReading } from "../schema/enums";
import { At, Big, Id, Int, Ref, Text } from "./columns";

@Entity("rate_card")
@Check("rate_card_tier_reading_check", "tier_reading IN ('VOLUME','GRADUATED')")
@Check("rate_card_premium_reading_check", "premium_reading IN ('RELATIVE','POINTS')")
@Check(
  "rate_card_state_check",
  `CASE state WHEN 'PROPOSED' THEN approved_at IS NULL AND retired_at IS NULL
              WHEN 'APPROVED' THEN approved_at IS NOT NULL AND retired_at IS NULL
              WHEN 'RETIRED' THEN retired_at IS NOT NULL ELSE false END`,
)
@Check("rate_card_four_eyes_check", "approved_by IS NULL OR approved_by <> proposed_by")
@Index("rate_card_version_key", ["version"], { unique: true, where: "provider_id IS NULL" })
@Index("rate_card_provider_version_key", ["providerId", "version"], {
  unique: true,
  where: "provider_id IS NOT NULL",
})
export class RateCardRow {
  @Id() id!: string;
  /** Whose negotiated terms they are; null: the standard ones. */
  @Ref("Organisation", { nullable: true }) providerId!: string | null;
  /** Counts the provider's cards, or the standard ones. */
  @Int() version!: number;
  @Text() state!: RateCardState;
  /** In force from then on, once approved; never in the past when it was proposed or approved. */
  @At() effectiveAt!: Date;
  @Big() baseSharePpm!: bigint;
  @Text() tierReading!: TierReading;
  @Text() premiumReading!: PremiumReading;
  /** Credits redeem at fixing × this. */
  @Big() redemptionFactorPpm!: bigint;
  @Text() reason!: string;
  @At() proposedAt!: Date;
  /** The member or key that proposed it, and another that approved it; null for what migrations brought. */
  @Column("uuid", { nullable: true }) proposedBy!: string | null;
  @At({ nullable: true }) approvedAt!: Date | null;
  @Column("uuid", { nullable: true }) approvedBy!: string | null;
  @At({ nullable: true }) retiredAt!: Date | null;
  @Column("uuid", { nullable: true }) retiredBy!: string | null;
}
