/** Credits of one facility that one startup spent in one hour at one kind of place: what lenders see of usage. */
import { Check, Entity, Index, PrimaryColumn } from "typeorm";
import { Big, Nano, Ref } from "./columns";

/** Summed up from the ledger's transfers in their order; what was counted is told by `CreditUseMark`. */
@Entity("credit_use")
@Check("credit_use_amounts_check", "requests >= 0 AND spent_nano_credit > 0")
@Index("credit_use_hour", ["facilityId", "hour"])
export class CreditUse {
  @Ref("Facility", { primary: true }) facilityId!: string;
  @Ref("Organisation", { primary: true }) startupId!: string;
  @PrimaryColumn("timestamptz") hour!: Date;
  /** Empty, as the next two, for what was spent without a usage record. */
  @PrimaryColumn("text") accelerator!: string;
  @PrimaryColumn("text") region!: string;
  /** The promise of the endpoint that served it. */
  @PrimaryColumn("text") slaTier!: string;
  /** Those that are counted here drew on this facility first here: over all rows of it each is counted once. */
  @Big() requests!: bigint;
  @Nano() spentNanoCredit!: bigint;
}
