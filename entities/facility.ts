/** A capital partner's standing offer to fund credits, up to a limit, at a multiplier. */
import { Check, Entity, Index } from "typeorm";
import type { FacilityState } from "../schema/enums";
import { At, Big, Id, Int, Nano, Ref, Text } from "./columns";

@Entity("facility")
@Check("facility_state_check", "state IN ('OPEN','CLOSED')")
@Check("facility_limit_check", "limit_nano_usd > 0 AND drawn_nano_usd >= 0 AND drawn_nano_usd <= limit_nano_usd")
@Check("facility_multiplier_check", "multiplier_ppm BETWEEN 1250000 AND 1500000")
@Check(
  "facility_terms_check",
  "origination_fee_ppm BETWEEN 0 AND 50000 AND servicing_fee_ppm BETWEEN 0 AND 20000 AND tenor_days BETWEEN 1 AND 3650",
)
@Check(
  "facility_covenants_check",
  "coverage_floor_ppm BETWEEN 1000000 AND 2000000 AND startup_limit_ppm BETWEEN 1 AND 1000000",
)
@Index("facility_capital_partner", ["capitalPartnerId"])
export class Facility {
  @Id() id!: string;
  @Ref("Organisation") capitalPartnerId!: string;
  @Text() name!: string;
  @Nano() limitNanoUsd!: bigint;
  @Nano() drawnNanoUsd!: bigint;
  /** Credits per dollar funded, 1.25 to 1.50. */
  @Big() multiplierPpm!: bigint;
  /** Taken once, out of the dollars drawn. */
  @Big({ default: 0 }) originationFeePpm!: bigint;
  /** A year, on the dollars drawn. */
  @Big({ default: 0 }) servicingFeePpm!: bigint;
  /** After so long its lots expire; null: only if their drawdown says so. */
  @Int({ nullable: true }) tenorDays!: number | null;
  /** Issuance below it is refused, and an alert opens when coverage falls below it later. */
  @Big({ default: 1_000_000 }) coverageFloorPpm!: bigint;
  /** The share of the limit that one startup may draw. */
  @Big({ default: 1_000_000 }) startupLimitPpm!: bigint;
  @Text() state!: FacilityState;
  @At() openedAt!: Date;
  @At({ nullable: true }) closedAt!: Date | null;
  @Int() version!: number;
}
