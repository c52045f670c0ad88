/** One operator's word that a large payout may go to one bank account; another account needs other words. */
import { Column, Entity, Index } from "typeorm";
import { At, Id, Ref } from "./columns";

@Entity("payout_approval")
@Index("payout_approval_key", ["payoutId", "accountId", "approvedBy"], { unique: true })
export class PayoutApproval {
  @Id() id!: string;
  @Ref("Payout") payoutId!: string;
  @Ref("PayoutAccount") accountId!: string;
  /** The member or key. */
  @Column("uuid") approvedBy!: string;
  @At() approvedAt!: Date;
}
