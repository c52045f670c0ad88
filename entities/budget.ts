/** What an API key or a project may spend in a month, or in all. */
import { Check, Column, Entity, Index } from "typeorm";
import type { BudgetPeriod } from "../schema/enums";
import { At, Flag, Id, Int, Nano, Ref, Text } from "./columns";

/** Every act on one calls `budgets_changed` in its transaction: the ledger goes by `budget_period`. */
@Entity("budget")
@Check("budget_owner_check", "num_nonnulls(api_key_id, project_id) = 1")
@Check("budget_period_check", "period IN ('MONTH','TOTAL')")
@Check("budget_amount_check", "amount_nano_credit > 0")
@Index("budget_startup", ["startupId"])
@Index("budget_api_key_key", ["apiKeyId"], { unique: true, where: "removed_at IS NULL" })
@Index("budget_project_key", ["projectId"], { unique: true, where: "removed_at IS NULL" })
export class Budget {
  @Id() id!: string;
  @Ref("Organisation") startupId!: string;
  /** The first of its line: a key that replaces it is under the same budget. */
  @Ref("ApiKey", { nullable: true }) apiKeyId!: string | null;
  @Ref("Project", { nullable: true }) projectId!: string | null;
  @Text() period!: BudgetPeriod;
  @Nano() amountNanoCredit!: bigint;
  /** Without it the budget counts and tells, and refuses nothing. */
  @Flag() hardStop!: boolean;
  /** Shares of the amount, ascending; the whole of it is told besides. */
  @Column("integer", { array: true }) thresholdsPpm!: number[];
  @At() createdAt!: Date;
  @At({ nullable: true }) removedAt!: Date | null;
  @Int() version!: number;
}
