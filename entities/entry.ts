/** What one transfer did to one of its two accounts, and the account's four counters after it. */
import { Check, Column, Entity, Index, PrimaryColumn } from "typeorm";
import { At, Big, Nano, Text } from "./columns";

/** Written by the journal only, some seconds after the transfer, and never changed. No foreign keys, for the reason that `transfer` has none. */
@Entity("entry")
@Check("entry_side_check", "side IN ('DEBIT','CREDIT')")
@Check("entry_movement_check", "posted >= 0 AND (posted > 0 OR pending <> 0)")
@Index("entry_seq", ["seq"])
export class Entry {
  @PrimaryColumn("uuid") accountId!: string;
  /** Of the transfer; no transfer touches an account twice. */
  @PrimaryColumn("bigint") seq!: string;
  /** Counts the account's entries from 1, without a gap. */
  @Big() version!: bigint;
  @Column("uuid") transferId!: string;
  @Column("uuid") groupId!: string;
  @Text() code!: string;
  @Text() side!: "DEBIT" | "CREDIT";
  /** By how much the posted counter of this side rose. */
  @Nano() posted!: bigint;
  /** By how much the pending counter of this side rose; negative where a pending transfer was resolved. */
  @Nano() pending!: bigint;
  @Nano() debitsPending!: bigint;
  @Nano() debitsPosted!: bigint;
  @Nano() creditsPending!: bigint;
  @Nano() creditsPosted!: bigint;
  @At() bookedAt!: Date;
  @At() recordedAt!: Date;
}
