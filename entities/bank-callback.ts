/** A message of the bank, kept under the id that the bank gave it: a second copy changes nothing. */
import { Check, Column, Entity, Index } from "typeorm";
import { At, Text } from "./columns";

@Entity("bank_callback")
@Check("bank_callback_result_check", "result IN ('APPLIED','STALE','UNKNOWN_PAYMENT')")
@Index("bank_callback_payment", ["key"])
export class BankCallback {
  @Column("text", { primary: true }) id!: string;
  @At() receivedAt!: Date;
  /** The payment that it is about. */
  @Text() key!: string;
  @Text() state!: string;
  @Text({ nullable: true }) code!: string | null;
  @Text({ nullable: true }) reason!: string | null;
  /** STALE: nothing that was not known already. */
  @Text() result!: "APPLIED" | "STALE" | "UNKNOWN_PAYMENT";
}
