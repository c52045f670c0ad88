/** An account of one ledger with its four counters; a limited account can never be overdrawn, by constraint. */
import { Check, Column, Entity, Index } from "typeorm";
import { At, Big, Flag, Id, Nano, Text } from "./columns";

/** The chart of accounts; docs/glossary.md says what each holds. */
export type LedgerAccountKind =
  | "CASH_TRUST"
  | "FACILITY_BACKING"
  | "PROVIDER_PAYABLE"
  | "REVENUE_SPREAD"
  | "CREDIT_ISSUANCE"
  | "WALLET_LOT"
  | "CREDIT_REDEEMED";

@Entity("ledger_account")
@Check("ledger_account_ledger_check", "ledger IN ('USD','CRD')")
@Check("ledger_account_limit_check", "NOT limited OR debits_pending + debits_posted <= credits_posted")
@Check(
  "ledger_account_counters_check",
  "debits_pending >= 0 AND debits_posted >= 0 AND credits_pending >= 0 AND credits_posted >= 0",
)
@Index("ledger_account_name_key", ["name"], { unique: true })
@Index("ledger_account_organisation", ["kind", "organisationId"])
@Index("ledger_account_facility", ["kind", "facilityId"])
export class LedgerAccount {
  @Id() id!: string;
  /** e.g. `wallet:{startup}:lot:{lot}`: what makes the account the same account. */
  @Text() name!: string;
  @Text() ledger!: "USD" | "CRD";
  @Text() kind!: LedgerAccountKind;
  @Column("uuid", { nullable: true }) organisationId!: string | null;
  @Column("uuid", { nullable: true }) facilityId!: string | null;
  /** Cost basis of a wallet lot: credits per dollar. */
  @Big({ nullable: true }) multiplierPpm!: bigint | null;
  /** Billing month of a payable, `YYYY-MM` UTC. */
  @Text({ nullable: true }) period!: string | null;
  /** Debits, pending and posted, may not exceed posted credits. */
  @Flag() limited!: boolean;
  @Nano({ default: 0 }) debitsPending!: bigint;
  @Nano({ default: 0 }) debitsPosted!: bigint;
  @Nano({ default: 0 }) creditsPending!: bigint;
  @Nano({ default: 0 }) creditsPosted!: bigint;
  @At() createdAt!: Date;
}
