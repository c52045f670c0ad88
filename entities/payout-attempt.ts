/** One try to pay a payout, written down before the bank hears of it, with everything that the bank said about it. */
import { Check, Column, Entity, Index } from "typeorm";
import type { PayoutRailKind } from "../schema/enums";
import { At, Id, Int, Nano, Ref, Text } from "./columns";

@Entity("payout_attempt")
@Check("payout_attempt_state_check", "state IN ('SUBMITTED','IN_TRANSIT','SETTLED','RETURNED')")
@Check("payout_attempt_amount_check", "amount_nano_usd > 0")
@Check("payout_attempt_returned_check", "(state = 'RETURNED') = (returned_at IS NOT NULL)")
@Index("payout_attempt_number_key", ["payoutId", "number"], { unique: true })
@Index("payout_attempt_key_key", ["key"], { unique: true })
@Index("payout_attempt_run", ["runId"])
@Index("payout_attempt_open", ["rail", "lookedAt"], { where: "state IN ('SUBMITTED','IN_TRANSIT')" })
export class PayoutAttempt {
  @Id() id!: string;
  @Ref("Payout") payoutId!: string;
  /** Counts from 1. */
  @Int() number!: number;
  /** `{statementId}-{number}`: under this key the bank pays once, however often it is asked. */
  @Text() key!: string;
  @Text() rail!: PayoutRailKind;
  @Ref("PayoutAccount") accountId!: string;
  @Nano() amountNanoUsd!: bigint;
  @Text() state!: "SUBMITTED" | "IN_TRANSIT" | "SETTLED" | "RETURNED";
  /** The run that made it. */
  @Column("uuid") runId!: string;
  @At() submittedAt!: Date;
  /** What it is handed over with; once given it takes no more in, so that a file written again is the same file. */
  @Column("uuid", { nullable: true }) batchId!: string | null;
  @At({ nullable: true }) batchedAt!: Date | null;
  /** Null while nobody knows whether the bank has it: it is asked again, under the same key. */
  @At({ nullable: true }) acceptedAt!: Date | null;
  /** What the bank calls it, or the file that it is in. */
  @Text({ nullable: true }) reference!: string | null;
  @At({ nullable: true }) inTransitAt!: Date | null;
  @At({ nullable: true }) settledAt!: Date | null;
  @At({ nullable: true }) returnedAt!: Date | null;
  /** ISO 20022 reason, e.g. `AC04`. */
  @Text({ nullable: true }) returnCode!: string | null;
  @Text({ nullable: true }) returnReason!: string | null;
  /** When the bank was last asked how it stands. */
  @At({ nullable: true }) lookedAt!: Date | null;
}
