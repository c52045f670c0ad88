/** The door to the ledger: opens accounts, posts transfers, answers balances. Balances are written by its SQL functions only. */
import type { EntityManager } from "typeorm";
import type { LedgerAccountKind } from "../../entities/ledger-account";
import type { TransferCode } from "../../entities/transfer";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError } from "../platform/errors";
import { newId } from "../platform/ids";
import { type CreditBalance, type FacilityBalance, facilityBalanceOf, type LotRow, sumOfLots } from "./balances";

export type { CreditBalance, FacilityBalance } from "./balances";

export interface LotIssue {
  readonly groupId: string;
  readonly lotId: string;
  readonly facilityId: string;
  readonly startupId: string;
  readonly fundedNanoUsd: bigint;
  /** Taken out of the funded dollars before they stand behind the credit. */
  readonly originationFeeNanoUsd: bigint;
  readonly creditNanoCredit: bigint;
  readonly multiplierPpm: bigint;
  /** The lower, the earlier it is drawn on. */
  readonly priority: number;
  readonly expiresAt: Date | null;
  /** Null: any. */
  readonly accelerators: readonly string[] | null;
  readonly workloads: readonly string[] | null;
  readonly bookedAt: Date;
}

export interface NewAccount {
  readonly name: string;
  readonly ledger: "USD" | "CRD";
  readonly kind: LedgerAccountKind;
  readonly organisationId?: string | null;
  readonly facilityId?: string | null;
  readonly period?: string | null;
  /** Debits may not exceed credits. */
  readonly limited: boolean;
}

export interface Posting {
  readonly id: string;
  readonly code: TransferCode;
  /** Names of accounts. */
  readonly debit: string;
  readonly credit: string;
  readonly amountNano: bigint;
}

/** SQLSTATE of a posting into a closed month, as the ledger's SQL raises it. */
const PERIOD_CLOSED_STATE = "XP001";

/** Every lot with the free, held, leased, blocked, expired and assigned parts of it; the lot's own account carries what was issued. */
const lotSums = (which: string) => `
  SELECT w.id, w.facility_id, w.issued_nano_credit AS issued, w.frozen > 0 AS frozen, coalesce(w.expires_at <= $2, false) AS expired_by_now,
         w.credits_posted - w.debits_posted - w.debits_pending AS free, w.debits_pending AS pending,
         coalesce(sum(o.credits_posted - o.debits_posted) FILTER (WHERE o.kind = 'LEASED'), 0) AS leased,
         coalesce(sum(o.credits_posted - o.debits_posted) FILTER (WHERE o.kind = 'BLOCKED'), 0) AS blocked,
         coalesce(sum(o.credits_posted - o.debits_posted) FILTER (WHERE o.kind = 'CREDIT_BREAKAGE'), 0) AS expired,
         coalesce(sum(o.credits_posted - o.debits_posted) FILTER (WHERE o.kind = 'CREDIT_ASSIGNED'), 0) AS assigned
    FROM ledger_account w
    LEFT JOIN ledger_account o ON o.lot_id = w.lot_id AND o.id <> w.id
   WHERE w.kind = 'WALLET_LOT' AND ${which}
   GROUP BY w.id`;

const statements = {
  ofStartup: { name: "ledger-balance", text: lotSums("w.organisation_id = $1") },
  ofLots: { name: "ledger-lot-balances", text: lotSums("w.id = ANY ($1)") },
  ofFacilities: { name: "ledger-facility-lots", text: lotSums("w.facility_id = ANY ($1)") },
  backing: {
    name: "ledger-facility-backing",
    text: `SELECT facility_id, credits_posted AS funded, debits_posted AS released
             FROM ledger_account WHERE kind = 'FACILITY_BACKING' AND facility_id = ANY ($1)`,
  },
};

export class Ledger {
  private readonly db: Database;
  private readonly clock: Clock;

  constructor(dependencies: { db: Database; clock: Clock }) {
    this.db = dependencies.db;
    this.clock = dependencies.clock;
  }

  /** The accounts that a facility's money moves through. Joins the caller's transaction, which has written the facility. */
  async openFacilityAccounts(tx: EntityManager, facilityId: string): Promise<void> {
    await tx.query("SELECT ledger_open_facility($1, $2, $3, $4, $5)", [
      facilityId,
      newId(),
      newId(),
      newId(),
      this.clock.now(),
    ]);
  }

  /**
   * Books the dollars of a drawdown and issues its credits into a wallet lot of their own. Joins the caller's transaction,
   * which has written the drawdown: for a tenant nothing else is issued than that says. Errors: PERIOD_CLOSED.
   */
  async issueLot(tx: EntityManager, issue: LotIssue): Promise<{ accountId: string }> {
    const { fundedNanoUsd, originationFeeNanoUsd, creditNanoCredit, multiplierPpm, ...terms } = issue;
    // Among lots of one priority and expiry the older is drawn on first: by the order of these ids.
    const accountId = newId();
    const lot = {
      ...terms,
      accountId,
      fundingId: newId(),
      feeId: newId(),
      issuanceId: newId(),
      funded: fundedNanoUsd.toString(),
      fee: originationFeeNanoUsd.toString(),
      credit: creditNanoCredit.toString(),
      multiplierPpm: multiplierPpm.toString(),
    };
    await openMonthsOnly(() => tx.query("SELECT ledger_issue_lot($1)", [JSON.stringify(lot)]));
    return { accountId };
  }

  /** Does nothing when an account of that name is there. In a request only an operator's transaction may. */
  async openAccount(tx: EntityManager, account: NewAccount): Promise<void> {
    await tx.query("SELECT ledger_open_account($1)", [
      JSON.stringify({ id: newId(), createdAt: this.clock.now(), ...account }),
    ]);
  }

  /**
   * Linked transfers: all or nothing. Ids are made by the caller, so that a repeat is refused by them. In a request only an
   * operator's transaction may. Errors: PERIOD_CLOSED; a violated constraint when a limited account would be overdrawn.
   */
  async post(tx: EntityManager, act: { groupId: string; bookedAt: Date; postings: readonly Posting[] }): Promise<void> {
    const { groupId, bookedAt, postings } = act;
    const items = postings.map(({ amountNano, ...posting }) => ({
      ...posting,
      amount: amountNano.toString(),
      groupId,
      bookedAt,
    }));
    await openMonthsOnly(() => tx.query("SELECT ledger_post_named($1)", [JSON.stringify(items)]));
  }

  async balance(startupId: string): Promise<CreditBalance> {
    const asOf = this.clock.now();
    return { ...sumOfLots(await this.db.query<LotRow>(statements.ofStartup, [startupId, asOf])), asOf };
  }

  /** By wallet-lot account id; unknown ids are left out. */
  async lotBalances(accountIds: readonly string[]): Promise<Map<string, CreditBalance>> {
    const asOf = this.clock.now();
    const rows = await this.db.query<LotRow>(statements.ofLots, [accountIds, asOf]);
    return new Map(rows.map((row) => [row.id, { ...sumOfLots([row]), asOf }]));
  }

  async facilityBalances(facilityIds: readonly string[]): Promise<Map<string, FacilityBalance>> {
    const [dollars, lots] = await Promise.all([
      this.db.query<{ facility_id: string; funded: string; released: string }>(statements.backing, [facilityIds]),
      this.db.query<LotRow>(statements.ofFacilities, [facilityIds, this.clock.now()]),
    ]);
    return new Map(
      dollars.map((row) => [
        row.facility_id,
        facilityBalanceOf(
          row,
          lots.filter((lot) => lot.facility_id === row.facility_id),
        ),
      ]),
    );
  }
}

/** Errors: PERIOD_CLOSED; those of `work`. */
async function openMonthsOnly(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const { driverError, message } = error as { driverError?: { code?: string }; message: string };
    if (driverError?.code !== PERIOD_CLOSED_STATE) throw error;
    throw new DomainError("PERIOD_CLOSED", `Nothing can be booked into a closed month: ${message}.`, { cause: error });
  }
}
