/** What a provider earned in one month, as it is told, reviewed and then owed. Once final, nothing of it changes any more. */
import { Check, Column, Entity, Index } from "typeorm";
import type { StatementState } from "../schema/enums";
import { At, Id, Int, Nano, Ref, Text } from "./columns";

@Entity("statement")
@Check("statement_state_check", "state IN ('DRAFT','IN_REVIEW','DISPUTED','FINAL')")
@Check("statement_period_check", "period ~ '^2[0-9]{3}-(0[1-9]|1[0-2])$'")
@Check("statement_total_check", "total_nano_usd >= 0")
@Check(
  "statement_final_check",
  "(state = 'FINAL') = (finalised_at IS NOT NULL) AND (state = 'DRAFT' OR review_ends_at IS NOT NULL)",
)
@Index("statement_period_key", ["providerId", "period"], { unique: true })
@Index("statement_under_way", ["state", "reviewEndsAt"], { where: "state <> 'FINAL'" })
@Index("statement_due", ["dueAt"], { where: "state = 'FINAL' AND total_nano_usd > 0" })
export class Statement {
  @Id() id!: string;
  @Ref("Organisation") providerId!: string;
  /** `YYYY-MM`, UTC. */
  @Text() period!: string;
  @Text() state!: StatementState;
  /** The sum of its lines, and what the payable account of its month holds until it is final. */
  @Nano() totalNanoUsd!: bigint;
  @At() draftedAt!: Date;
  /** Silence until then is approval; null in a draft. */
  @At({ nullable: true }) reviewEndsAt!: Date | null;
  @At({ nullable: true }) approvedAt!: Date | null;
  /** The member or key that approved; null when nobody objected in time. */
  @Column("uuid", { nullable: true }) approvedBy!: string | null;
  @At({ nullable: true }) finalisedAt!: Date | null;
  /** Thirty days after the month's end. */
  @At() dueAt!: Date;
  @Int() version!: number;
}
