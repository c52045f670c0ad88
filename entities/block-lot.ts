/** What one block does to one credit lot: what lifting it undoes, to the nano-credit. */
import { Check, Entity, Index } from "typeorm";
import { Flag, Int, Nano, Ref } from "./columns";

/** Written by the ledger's functions only. */
@Entity("block_lot")
@Check(
  "block_lot_amounts_check",
  "blocked_nano_credit >= 0 AND assigned_nano_credit >= 0 AND assigned_backing_nano_usd >= 0",
)
@Index("block_lot_account", ["lotAccountId"])
export class BlockLot {
  @Ref("Block", { primary: true }) blockId!: string;
  @Ref("LedgerAccount", { primary: true }) lotAccountId!: string;
  /** It counts in the lot's `frozen`. */
  @Flag() frozen!: boolean;
  /** Moved out of the lot for it. */
  @Nano({ default: 0 }) blockedNanoCredit!: bigint;
  /** Of what it covered: gone to the lender for good. */
  @Nano({ default: 0 }) assignedNanoCredit!: bigint;
  @Nano({ default: 0 }) assignedBackingNanoUsd!: bigint;
  /** How often something was assigned: each movement has an id of its own. */
  @Int({ default: 0 }) assignments!: number;
}
