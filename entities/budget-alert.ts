/** That a budget was spent up to a threshold: once per budget, period and threshold. */
import { Column, Entity, Index } from "typeorm";
import { At, Id, Int, Nano, Ref, Text } from "./columns";

@Entity("budget_alert")
@Index("budget_alert_once_key", ["budgetId", "period", "thresholdPpm"], { unique: true })
@Index("budget_alert_startup", ["startupId", "id"])
export class BudgetAlert {
  @Id() id!: string;
  @Ref("Budget") budgetId!: string;
  @Column("uuid") startupId!: string;
  @Text() period!: string;
  @Int() thresholdPpm!: number;
  @Nano() limitNanoCredit!: bigint;
  @Nano() spentNanoCredit!: bigint;
  @At() at!: Date;
}
