/** A provider's bank account as one person proposed it and another confirmed it; who holds it and its number are sealed. */
import { Check, Column, Entity, Index } from "typeorm";
import { At, Id, Int, Ref, Text } from "./columns";

@Entity("payout_account")
@Check("payout_account_state_check", "state IN ('PROPOSED','CONFIRMED','CANCELLED')")
@Check("payout_account_two_people_check", "confirmed_by <> proposed_by")
@Check(
  "payout_account_confirmed_check",
  "(confirmed_at IS NULL) = (confirmed_by IS NULL) AND (confirmed_at IS NULL) = (usable_from IS NULL) AND (state <> 'CONFIRMED' OR confirmed_at IS NOT NULL)",
)
@Check("payout_account_cancelled_check", "(state = 'CANCELLED') = (cancelled_at IS NOT NULL)")
@Index("payout_account_provider", ["providerId", "id"])
@Index("payout_account_proposed_key", ["providerId"], { unique: true, where: "state = 'PROPOSED'" })
export class PayoutAccount {
  @Id() id!: string;
  @Ref("Organisation") providerId!: string;
  /** What people decided; that a cooling period runs, or that a later account took over, is a matter of time. */
  @Text() state!: "PROPOSED" | "CONFIRMED" | "CANCELLED";
  /** ISO 3166-1 alpha-2. */
  @Text() country!: string;
  @Text() bic!: string;
  /** AES-256-GCM, bound to this row and column. */
  @Column("bytea") holderSealed!: Buffer;
  @Column("bytea") ibanSealed!: Buffer;
  /** Its last four characters, by which people recognise it. */
  @Text() ibanEnd!: string;
  /** The member or key. */
  @Column("uuid") proposedBy!: string;
  @At() proposedAt!: Date;
  @Column("uuid", { nullable: true }) confirmedBy!: string | null;
  @At({ nullable: true }) confirmedAt!: Date | null;
  /** The end of its cooling period. */
  @At({ nullable: true }) usableFrom!: Date | null;
  @At({ nullable: true }) cancelledAt!: Date | null;
  @Int() version!: number;
}
