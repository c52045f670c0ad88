/** Credit set aside for one request until it is captured, voided or expires. Its slices are pending transfers. */
import { Check, Column, Entity, Index } from "typeorm";
import type { HoldState } from "../schema/enums";
import { At, Id, Nano, Text } from "./columns";

@Entity("hold")
@Check("hold_state_check", "state IN ('HELD','CAPTURED','VOIDED','EXPIRED')")
@Check("hold_amount_check", "amount_nano_credit > 0 AND captured_nano_credit BETWEEN 0 AND amount_nano_credit")
@Index("hold_open", ["expiresAt"], { where: "state = 'HELD'" })
export class Hold {
  /** The request's id. */
  @Id() id!: string;
  @Column("uuid") startupId!: string;
  @Nano() amountNanoCredit!: bigint;
  @Nano({ default: 0 }) capturedNanoCredit!: bigint;
  /** The rate card that was in force when it was placed: a later one does not reprice a running request. */
  @Column("uuid") rateCardId!: string;
  @Text() state!: HoldState;
  @At() placedAt!: Date;
  @At() expiresAt!: Date;
  @At({ nullable: true }) resolvedAt!: Date | null;
}
