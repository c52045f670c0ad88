/** A month whose books are closed: nothing is booked into it any more. Months close in order. */
import { Check, Column, Entity, PrimaryColumn } from "typeorm";
import { At } from "./columns";

@Entity("accounting_period")
@Check("accounting_period_period_check", "period ~ '^2[0-9]{3}-(0[1-9]|1[0-2])$'")
export class AccountingPeriod {
  /** `YYYY-MM`, UTC. */
  @PrimaryColumn("text") period!: string;
  @At() closedAt!: Date;
  /** The operator's member or key, where a person closed it. */
  @Column("uuid", { nullable: true }) closedBy!: string | null;
}
