/** A correction of what a provider earned after a statement was final: it goes on the provider's next statement. */
import { Check, Column, Entity, Index } from "typeorm";
import { At, Id, Nano, Ref, Text } from "./columns";

@Entity("credit_note")
@Check("credit_note_amount_check", "amount_nano_usd <> 0")
@Check(
  "credit_note_remaining_check",
  "remaining_nano_usd BETWEEN least(amount_nano_usd, 0) AND greatest(amount_nano_usd, 0)",
)
@Index("credit_note_open", ["providerId", "id"], { where: "remaining_nano_usd <> 0" })
export class CreditNote {
  @Id() id!: string;
  @Ref("Organisation") providerId!: string;
  /** The final statement that it corrects. */
  @Ref("Statement") statementId!: string;
  /** Negative: the provider gives back. */
  @Nano() amountNanoUsd!: bigint;
  /** Not yet on a statement: one that takes more than a month earned goes on in the months after. */
  @Nano() remainingNanoUsd!: bigint;
  @Text() reason!: string;
  @At() createdAt!: Date;
  @Column("uuid") createdBy!: string;
}
