/** What a lease has of one credit lot. */
import { Check, Column, Entity, Index } from "typeorm";
import { Nano, Ref } from "./columns";

@Entity("lease_slice")
@Check("lease_slice_balance_check", "balance_nano_credit >= 0")
@Index("lease_slice_lot", ["lotAccountId"])
export class LeaseSlice {
  @Ref("Lease", { primary: true }) leaseId!: string;
  /** Where the lot's leased credit is kept, for all leases together. */
  @Ref("LedgerAccount", { primary: true }) leasedAccountId!: string;
  @Column("uuid") lotAccountId!: string;
  /** Granted and neither captured nor returned. */
  @Nano() balanceNanoCredit!: bigint;
}
