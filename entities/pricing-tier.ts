/** One volume tier of a rate card. */
import { Entity, PrimaryColumn } from "typeorm";
import { Big, Flag, Ref } from "./columns";

@Entity("pricing_tier")
export class PricingTierRow {
  @Ref("RateCardRow", { primary: true }) rateCardId!: string;
  @PrimaryColumn("integer") position!: number;
  /** Inclusive; null on the last tier. */
  @Big({ nullable: true }) upToGpuHours!: bigint | null;
  @Big() premiumPpm!: bigint;
  @Flag() negotiated!: boolean;
}
