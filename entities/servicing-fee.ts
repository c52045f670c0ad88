/** What servicing a facility cost in one month; its being there is what keeps the month from being charged again. */
import { Check, Column, Entity, PrimaryColumn } from "typeorm";
import { At, Big, Nano, Ref } from "./columns";

@Entity("servicing_fee")
@Check("servicing_fee_period_check", "period ~ '^2[0-9]{3}-(0[1-9]|1[0-2])$'")
@Check("servicing_fee_amount_check", "drawn_nano_usd >= 0 AND amount_nano_usd >= 0")
export class ServicingFee {
  @Ref("Facility", { primary: true }) facilityId!: string;
  /** `YYYY-MM`, UTC. */
  @PrimaryColumn("text") period!: string;
  /** Outstanding on average over the month. */
  @Nano() drawnNanoUsd!: bigint;
  /** A year. */
  @Big() feePpm!: bigint;
  @Nano() amountNanoUsd!: bigint;
  /** The transfer in the ledger; null when there was nothing to charge. */
  @Column("uuid", { nullable: true }) transferId!: string | null;
  @At() chargedAt!: Date;
}
