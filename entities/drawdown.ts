/** Dollars drawn from a facility for one startup; it issues one credit lot. */
import { Check, Entity, Index } from "typeorm";
import { At, Id, Nano, Ref } from "./columns";

@Entity("drawdown")
@Check("drawdown_amount_check", "funded_nano_usd > 0")
@Check("drawdown_fee_check", "origination_fee_nano_usd BETWEEN 0 AND funded_nano_usd - 1")
@Index("drawdown_facility", ["facilityId"])
export class Drawdown {
  @Id() id!: string;
  @Ref("Facility") facilityId!: string;
  @Ref("Organisation") startupId!: string;
  @Nano() fundedNanoUsd!: bigint;
  /** Of these; the rest stands behind the credits. */
  @Nano({ default: 0 }) originationFeeNanoUsd!: bigint;
  @At() drawnAt!: Date;
}
