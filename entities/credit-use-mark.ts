/** How far the ledger's transfers have been summed up into `credit_use`: one row. */
import { Check, Entity, PrimaryColumn } from "typeorm";
import { Big } from "./columns";

@Entity("credit_use_mark")
@Check("credit_use_mark_one_check", "one")
export class CreditUseMark {
  @PrimaryColumn("boolean") one!: boolean;
  /** Place of the last transfer that was looked at. */
  @Big() seq!: bigint;
}
