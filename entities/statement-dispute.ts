/** A provider's objection to one line of a statement under review, and what an operator answered. */
import { Check, Column, Entity, Index } from "typeorm";
import type { StatementDisputeState } from "../schema/enums";
import { At, Id, Nano, Ref, Text } from "./columns";

@Entity("statement_dispute")
@Check("statement_dispute_state_check", "state IN ('OPEN','UPHELD','DISMISSED')")
@Check(
  "statement_dispute_answer_check",
  "(state = 'OPEN') = (resolved_at IS NULL) AND (state = 'OPEN') = (answer IS NULL)",
)
@Index("statement_dispute_statement", ["statementId", "id"])
@Index("statement_dispute_open_key", ["lineId"], { unique: true, where: "state = 'OPEN'" })
export class StatementDispute {
  @Id() id!: string;
  @Ref("Statement") statementId!: string;
  @Ref("StatementLine") lineId!: string;
  @Ref("Organisation") providerId!: string;
  @Text() state!: StatementDisputeState;
  @Text() reason!: string;
  @At() openedAt!: Date;
  /** The member or key that objected. */
  @Column("uuid") openedBy!: string;
  @Text({ nullable: true }) answer!: string | null;
  /** What an upheld one adds to the statement, or takes from it. */
  @Nano({ nullable: true }) creditNanoUsd!: bigint | null;
  @At({ nullable: true }) resolvedAt!: Date | null;
  @Column("uuid", { nullable: true }) resolvedBy!: string | null;
}
