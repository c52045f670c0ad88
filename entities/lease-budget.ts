/** Which budgets a lease counts against, and in which period: that of its opening. */
import { Entity, PrimaryColumn } from "typeorm";
import { Text } from "./columns";

@Entity("lease_budget")
export class LeaseBudget {
  @PrimaryColumn("uuid") leaseId!: string;
  @PrimaryColumn("uuid") budgetId!: string;
  @Text() period!: string;
}
