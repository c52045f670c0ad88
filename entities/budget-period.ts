/** What counts against a budget in one month, or in all: charged, held and lent to relays. Written by the ledger's functions only. */
import { Check, Entity, PrimaryColumn } from "typeorm";
import { Flag, Nano, Ref } from "./columns";

@Entity("budget_period")
@Check("budget_period_counters_check", "spent_nano_credit >= 0 AND held_nano_credit >= 0 AND leased_nano_credit >= 0")
@Check("budget_period_ceiling_check", "ceiling_nano_credit >= limit_nano_credit")
@Check(
  "budget_period_limit_check",
  "NOT hard_stop OR spent_nano_credit + held_nano_credit + leased_nano_credit <= ceiling_nano_credit",
)
export class BudgetPeriodRow {
  @Ref("Budget", { primary: true }) budgetId!: string;
  /** `YYYY-MM`, UTC, or `TOTAL`. */
  @PrimaryColumn("text") period!: string;
  @Nano() limitNanoCredit!: bigint;
  @Flag() hardStop!: boolean;
  @Nano({ default: 0 }) spentNanoCredit!: bigint;
  /** Open holds of the ledger. */
  @Nano({ default: 0 }) heldNanoCredit!: bigint;
  @Nano({ default: 0 }) leasedNanoCredit!: bigint;
  /** The limit, or what was committed when it was lowered below that, until that is freed. */
  @Nano() ceilingNanoCredit!: bigint;
}
