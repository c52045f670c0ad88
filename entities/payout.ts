/** What is paid for one statement: whole cents of what it says and of what earlier ones left over. */
import { Check, Entity, Index } from "typeorm";
import type { PayoutState } from "../schema/enums";
import { At, Id, Int, Nano, Ref, Text } from "./columns";

@Entity("payout")
@Check("payout_state_check", "state IN ('SCHEDULED','SUBMITTED','IN_TRANSIT','SETTLED','RETURNED','CARRIED')")
@Check("payout_amount_check", "amount_nano_usd >= 0 AND amount_nano_usd % 10000000 = 0")
@Check("payout_carry_check", "carried_in_nano_usd >= 0 AND remainder_nano_usd >= 0 AND remainder_nano_usd < 10000000")
@Check("payout_carried_check", "(state = 'CARRIED') = (amount_nano_usd = 0)")
@Check("payout_attempt_check", "attempt >= 0 AND (attempt > 0 OR state IN ('SCHEDULED','CARRIED'))")
@Check("payout_freeze_check", "(frozen_at IS NULL) = (frozen_reason IS NULL)")
@Index("payout_statement_key", ["statementId"], { unique: true })
@Index("payout_provider", ["providerId", "id"])
@Index("payout_scheduled", ["dueAt", "id"], { where: "state = 'SCHEDULED'" })
@Index("payout_left_over", ["providerId"], { where: "remainder_nano_usd > 0 AND carried_to_id IS NULL" })
export class Payout {
  @Id() id!: string;
  @Ref("Statement") statementId!: string;
  @Ref("Organisation") providerId!: string;
  /** `YYYY-MM`, UTC: the statement's. */
  @Text() period!: string;
  @Text() state!: PayoutState;
  @Nano() amountNanoUsd!: bigint;
  /** What earlier statements of the provider left over and this one pays along. */
  @Nano() carriedInNanoUsd!: bigint;
  /** Below a cent: it stays with the statement until a later payout takes it along. */
  @Nano() remainderNanoUsd!: bigint;
  /** The payout that took the remainder. */
  @Ref("Payout", { nullable: true }) carriedToId!: string | null;
  /** The number of its newest attempt; 0 before the first. */
  @Int() attempt!: number;
  @At() dueAt!: Date;
  @At() scheduledAt!: Date;
  @At({ nullable: true }) frozenAt!: Date | null;
  @Text({ nullable: true }) frozenReason!: string | null;
  @Int() version!: number;
}
