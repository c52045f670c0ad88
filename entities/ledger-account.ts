/** An account of one ledger with its four counters; a limited account can never be overdrawn, by constraint. */
import { Check, Column, Entity, Index } from "typeorm";
import { At, Big, Flag, Id, Int, Nano, Text } from "./columns";

/** The chart of accounts; docs/glossary.md says what each holds. */
export type LedgerAccountKind =
  | "CASH_TRUST"
  | "FACILITY_BACKING"
  | "PROVIDER_PAYABLE"
  | "STATEMENT_PAYABLE"
  | "HOLDBACK"
  | "PAYOUT_IN_TRANSIT"
  | "PARTNER_PRINCIPAL"
  | "FACILITY_FEES"
  | "REVENUE_SPREAD"
  | "REVENUE_ORIGINATION"
  | "REVENUE_SERVICING"
  | "REVENUE_BREAKAGE"
  | "RESERVE_SLA"
  | "SUSPENSE_CLAIMS"
  | "EXPENSE_CLAIMS"
  | "CREDIT_ISSUANCE"
  | "WALLET_LOT"
  | "LEASED"
  | "BLOCKED"
  | "CREDIT_REDEEMED"
  | "CREDIT_BREAKAGE"
  | "CREDIT_ASSIGNED";

@Entity("ledger_account")
@Check("ledger_account_ledger_check", "ledger IN ('USD','CRD')")
@Check("ledger_account_limit_check", "NOT limited OR debits_pending + debits_posted <= credits_posted")
@Check(
  "ledger_account_counters_check",
  "debits_pending >= 0 AND debits_posted >= 0 AND credits_pending >= 0 AND credits_posted >= 0",
)
@Check(
  "ledger_account_lot_check",
  "kind <> 'WALLET_LOT' OR (lot_id IS NOT NULL AND issued_nano_credit IS NOT NULL AND priority IS NOT NULL AND frozen >= 0)",
)
@Index("ledger_account_name_key", ["name"], { unique: true })
@Index("ledger_account_organisation", ["kind", "organisationId"])
@Index("ledger_account_facility", ["kind", "facilityId"])
@Index("ledger_account_lot", ["lotId"], { where: "lot_id IS NOT NULL" })
@Index("ledger_account_expiry", ["expiresAt"], { where: "expires_at IS NOT NULL" })
export class LedgerAccount {
  @Id() id!: string;
  /** e.g. `wallet:{startup}:lot:{lot}`: what makes the account the same account. */
  @Text() name!: string;
  @Text() ledger!: "USD" | "CRD";
  @Text() kind!: LedgerAccountKind;
  @Column("uuid", { nullable: true }) organisationId!: string | null;
  @Column("uuid", { nullable: true }) facilityId!: string | null;
  /** Of the accounts of one credit lot: what is free in it, leased, blocked, expired, assigned. */
  @Column("uuid", { nullable: true }) lotId!: string | null;
  /** Cost basis of a lot: credits per dollar that stands behind them once the origination fee is taken. */
  @Big({ nullable: true }) multiplierPpm!: bigint | null;
  /** Of a wallet lot: what was issued into it. */
  @Nano({ nullable: true }) issuedNanoCredit!: bigint | null;
  /** Of a wallet lot and its leased part: the lower, the earlier it is drawn on; then whichever expires first, then the older. */
  @Int({ nullable: true }) priority!: number | null;
  /** Of a wallet lot: nothing new is held on it from this instant on. */
  @At({ nullable: true }) expiresAt!: Date | null;
  /** Of a wallet lot: only for requests that can end at these alone; null: any. */
  @Column("text", { array: true, nullable: true }) accelerators!: string[] | null;
  /** Of a wallet lot: only for these workloads; null: any. */
  @Column("text", { array: true, nullable: true }) workloads!: string[] | null;
  /** Of a wallet lot: how many blocks cover it whole; nothing new is held on it while there is one. */
  @Int({ default: 0 }) frozen!: number;
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
