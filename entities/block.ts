/** Credit frozen by a lender or the operator: of a facility, a wallet or a lot, wholly or in part, until it is lifted. */
import { Check, Column, Entity, Index } from "typeorm";
import type { BlockReason, BlockScope, BlockState } from "../schema/enums";
import { At, Id, Int, Nano, Ref, Text } from "./columns";

/** Written by a request once, as PLACING; from then on by the ledger's functions of migration 0020 only. */
@Entity("block")
@Check("block_scope_check", "scope IN ('FACILITY','WALLET','LOT')")
@Check(
  "block_target_check",
  "num_nonnulls(facility_id, startup_id, lot_id) = 1 AND (scope = 'FACILITY') = (facility_id IS NOT NULL) AND (scope = 'LOT') = (lot_id IS NOT NULL)",
)
@Check("block_reason_check", "reason IN ('DEFAULT_RISK','DEFAULT','COMPLIANCE','FRAUD_SUSPECTED','DISPUTE','OTHER')")
@Check("block_state_check", "state IN ('PLACING','ACTIVE','REFUSED','LIFTED','ASSIGNED')")
@Check("block_amount_check", "amount_nano_credit > 0")
@Index("block_capital_partner", ["capitalPartnerId"])
@Index("block_facility", ["facilityId"], { where: "facility_id IS NOT NULL" })
@Index("block_startup", ["startupId"], { where: "startup_id IS NOT NULL" })
@Index("block_unfinished", ["id"], { where: "state IN ('PLACING','ASSIGNED')" })
export class Block {
  @Id() id!: string;
  @Text() scope!: BlockScope;
  /** Whose lots it covers; null: every lender's, which is an operator's block of a wallet. */
  @Ref("Organisation", { nullable: true }) capitalPartnerId!: string | null;
  @Ref("Facility", { nullable: true }) facilityId!: string | null;
  @Ref("Organisation", { nullable: true }) startupId!: string | null;
  @Ref("CreditLot", { nullable: true }) lotId!: string | null;
  /** Null: all that there is and all that comes back. */
  @Nano({ nullable: true }) amountNanoCredit!: bigint | null;
  @Text() reason!: BlockReason;
  @Text({ nullable: true }) explanation!: string | null;
  @Text({ nullable: true }) evidenceUrl!: string | null;
  @Text() state!: BlockState;
  /** The organisation that placed it: it, or an operator, lifts it. */
  @Column("uuid") placedById!: string;
  @At() placedAt!: Date;
  /** From here on no relay process could set aside anything of it. */
  @At({ nullable: true }) effectiveAt!: Date | null;
  /** Between the two, on a clock that nobody sets. */
  @Int({ nullable: true }) latencyMs!: number | null;
  @Column("uuid", { nullable: true }) endedById!: string | null;
  @At({ nullable: true }) endedAt!: Date | null;
  @Int() version!: number;
}
