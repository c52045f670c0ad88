/** The credits that one drawdown issued to a startup, with what each cost. Balances are in its ledger account. */
import { Check, Entity, Index } from "typeorm";
import { At, Big, Id, Nano, Ref } from "./columns";

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
  @Big() multiplierPpm!: bigint;
  @At() issuedAt!: Date;
}
