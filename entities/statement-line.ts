/** One amount of a statement with all that is needed to work it out again. Lines are added, never changed. */
import { Check, Column, Entity, Index } from "typeorm";
import type { ClientSegment, StatementLineKind, Workload } from "../schema/enums";
import { At, Big, Id, Int, Json, Nano, Ref, Text } from "./columns";

/** Why an endpoint's accruals were reduced: its last thirty days, as they stood when the month ended. */
export interface SlaLineEvidence {
  endpointId: string;
  slaTier: string;
  targetPpm: number;
  uptimePpm: number;
  eligibleMinutes: number;
  badMinutes: number;
  /** What the endpoint's requests of the month accrued, in nano-dollars. */
  accruedNanoUsd: string;
}

@Entity("statement_line")
@Check(
  "statement_line_kind_check",
  "kind IN ('ACCRUAL','TRUE_UP','CLAIM','SLA_ADJUSTMENT','CREDIT_NOTE','HOLDBACK','HOLDBACK_RELEASE')",
)
@Check("statement_line_accrual_check", "(kind = 'ACCRUAL') = (fixing_id IS NOT NULL)")
@Index("statement_line_statement", ["statementId", "id"])
@Index("statement_line_source_key", ["kind", "sourceId"], {
  unique: true,
  where: "kind IN ('CLAIM','HOLDBACK_RELEASE')",
})
export class StatementLine {
  @Id() id!: string;
  @Ref("Statement") statementId!: string;
  @Text() kind!: StatementLineKind;
  @Nano() amountNanoUsd!: bigint;
  @Text({ nullable: true }) accelerator!: string | null;
  @Text({ nullable: true }) region!: string | null;
  @Text({ nullable: true }) segment!: ClientSegment | null;
  @Text({ nullable: true }) workload!: Workload | null;
  @Column("uuid", { nullable: true }) fixingId!: string | null;
  @Column("uuid", { nullable: true }) rateCardId!: string | null;
  @Nano({ nullable: true }) priceNanoUsd!: bigint | null;
  /** Of an accrual the share of the fixing, of an adjustment or a holdback the part that it takes. */
  @Big({ nullable: true }) sharePpm!: bigint | null;
  @Int() requests!: number;
  @Big() gpuNanos!: bigint;
  /** The claim's transfer, the holdback line that is released, the credit note or the dispute: where the amount comes from. */
  @Column("uuid", { nullable: true }) sourceId!: string | null;
  /** Why, where a person decided it. */
  @Text({ nullable: true }) reason!: string | null;
  @Json({ nullable: true }) evidence!: SlaLineEvidence | null;
  @At() createdAt!: Date;
}
