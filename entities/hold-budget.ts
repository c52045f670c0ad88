/** Which budgets a hold of the ledger counts against, and in which period: that of its placing. */
import { Entity, PrimaryColumn } from "typeorm";
import { Text } from "./columns";

@Entity("hold_budget")
export class HoldBudget {
  @PrimaryColumn("uuid") holdId!: string;
  @PrimaryColumn("uuid") budgetId!: string;
  @Text() period!: string;
}
