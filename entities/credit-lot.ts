/** The credits that one drawdown issued to a startup, with what each cost. Balances are in its ledger account. */
import { Check, Column, Entity, Index } from "typeorm";
import type { Workload } from "../schema/enums";
import { At, Big, Id, Int, Nano, Ref } from "./columns";

@Entity("credit_lot")
@Check("credit_lot_issued_check", "issued_nano_credit > 0")
@Index("credit_lot_startup", ["startupId"])
@Index("credit_lot_drawdown_key", ["drawdownId"], { unique: true })
export class CreditLot {
  @Id() id!: string;
  @Ref("Drawdown") drawdownId!: string;
  @Ref("Facility") facilityId!: string;
  @Ref("Organisation") startupId!: string;
  @Ref("LedgerAccount") accountId!: string;
  @Nano() issuedNanoCredit!: bigint;
  /** Credits per dollar funded; the ledger's account has those per dollar that stands behind them. */
  @Big() multiplierPpm!: bigint;
  /** What the ledger's account of the lot says of its use, as it was issued. */
  @Int({ default: 100 }) priority!: number;
  @At({ nullable: true }) expiresAt!: Date | null;
  @Column("text", { array: true, nullable: true }) accelerators!: string[] | null;
  @Column("text", { array: true, nullable: true }) workloads!: Workload[] | null;
  @At() issuedAt!: Date;
}
