/** One immutable movement between two accounts of the same ledger. */
import { Check, Column, Entity, Generated, Index } from "typeorm";
import { At, Big, Id, Nano, Text } from "./columns";

export type TransferKind = "POSTED" | "PENDING" | "POST" | "VOID";
/** Why it moved; docs/glossary.md says between which accounts. */
export type TransferCode =
  | "FUNDING"
  | "ISSUANCE"
  | "ORIGINATION_FEE"
  | "SERVICING_FEE"
  | "LEASE"
  | "LEASE_RETURN"
  | "BLOCK"
  | "UNBLOCK"
  | "BREAKAGE"
  | "BREAKAGE_BACKING"
  | "ASSIGNMENT"
  | "ASSIGNED_BACKING"
  | "USAGE"
  | "ACCRUAL"
  | "SPREAD"
  | "SHORTFALL"
  | "TRUE_UP"
  | "SLA_ADJUSTMENT"
  | "CREDIT_NOTE"
  | "HOLDBACK"
  | "HOLDBACK_RELEASE"
  | "STATEMENT"
  | "PAYOUT"
  | "PAYOUT_SETTLED"
  | "PAYOUT_RETURNED"
  | "CLAIM_SUSPENDED"
  | "CLAIM_PAID"
  | "CLAIM_REJECTED";

/**
 * Written by the ledger's SQL functions only. No foreign keys to the accounts: those functions read and update both
 * accounts in the same statement, and two more constraint look-ups per row would be a third of the write's cost.
 */
@Entity("transfer")
@Check("transfer_kind_check", "kind IN ('POSTED','PENDING','POST','VOID')")
@Check("transfer_amount_check", "amount > 0")
@Check("transfer_pending_check", "(pending_id IS NOT NULL) = (kind IN ('POST','VOID'))")
@Check("transfer_accounts_check", "debit_account_id <> credit_account_id")
@Index("transfer_pending_key", ["pendingId"], { unique: true, where: "pending_id IS NOT NULL" })
@Index("transfer_group", ["groupId"])
@Index("transfer_seq_key", ["seq"], { unique: true })
export class Transfer {
  @Id() id!: string;
  /** The act that it is a leg of: a request, a drawdown. */
  @Column("uuid") groupId!: string;
  @Text() kind!: TransferKind;
  @Text() code!: TransferCode;
  @Column("uuid") debitAccountId!: string;
  @Column("uuid") creditAccountId!: string;
  @Nano() amount!: bigint;
  /** The pending transfer that a POST or VOID resolves; unique, so it resolves at most once. */
  @Column("uuid", { nullable: true }) pendingId!: string | null;
  /** Its place in the one order of all transfers, which is the order of their commits: they are written under the ledger's lock. */
  @Generated("increment") @Big() seq!: bigint;
  @At() bookedAt!: Date;
  @At({ default: () => "clock_timestamp()" }) recordedAt!: Date;
}
