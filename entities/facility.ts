/** A capital partner's standing offer to fund credits, up to a limit, at a multiplier. */
import { Check, Entity, Index } from "typeorm";
import type { FacilityState } from "../schema/enums";
import { At, Big, Id, Int, Nano, Ref, Text } from "./columns";

@Entity("facility")
@Check("facility_state_check", "state IN ('OPEN','CLOSED')")
@Check("facility_limit_check", "limit_nano_usd > 0 AND drawn_nano_usd >= 0 AND drawn_nano_usd <= limit_nano_usd")
@Check("facility_multiplier_check", "multiplier_ppm BETWEEN 1250000 AND 1500000")
@Index("facility_capital_partner", ["capitalPartnerId"])
export class Facility {
  @Id() id!: string;
  @Ref("Organisation") capitalPartnerId!: string;
  @Text() name!: string;
  @Nano() limitNanoUsd!: bigint;
  @Nano() drawnNanoUsd!: bigint;
  /** Credits per dollar funded, 1.25 to 1.50. */
  @Big() multiplierPpm!: bigint;
  @Text() state!: FacilityState;
  @At() openedAt!: Date;
  @Int() version!: number;
}
