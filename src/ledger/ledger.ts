/** The door to the ledger: opens accounts, posts transfers, answers balances. Balances are written by its SQL functions only. */
import type { EntityManager } from "typeorm";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { newId } from "../platform/ids";

/** One startup's credit: issued = available + held + spent, always. */
export interface CreditBalance {
  readonly issuedNanoCredit: bigint;
  readonly availableNanoCredit: bigint;
  readonly heldNanoCredit: bigint;
  readonly spentNanoCredit: bigint;
  readonly asOf: Date;
}

export interface FacilityBalance {
  /** Dollars that came in. */
  readonly fundedNanoUsd: bigint;
  /** Dollars that still stand behind issued credit. */
  readonly backingNanoUsd: bigint;
  readonly issuedNanoCredit: bigint;
  readonly heldNanoCredit: bigint;
  readonly spentNanoCredit: bigint;
}

export interface LotIssue {
  readonly groupId: string;
  readonly lotId: string;
  readonly facilityId: string;
  readonly startupId: string;
  readonly fundedNanoUsd: bigint;
  readonly creditNanoCredit: bigint;
  readonly multiplierPpm: bigint;
  readonly bookedAt: Date;
}

interface CounterRow {
  issued: string;
  held: string;
  spent: string;
}

const walletSums = `coalesce(sum(credits_posted), 0) AS issued, coalesce(sum(debits_pending), 0) AS held, coalesce(sum(debits_posted), 0) AS spent`;

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
   * which has written the drawdown: for a tenant nothing else is issued than that says.
   */
  async issueLot(
    tx: EntityManager,
    { fundedNanoUsd, creditNanoCredit, ...issue }: LotIssue,
  ): Promise<{ accountId: string }> {
    // Lots are drawn on in the order of their accounts' ids: the oldest first.
    const accountId = newId();
    const lot = {
      ...issue,
      accountId,
      fundingId: newId(),
      issuanceId: newId(),
      funded: fundedNanoUsd.toString(),
      credit: creditNanoCredit.toString(),
      multiplierPpm: issue.multiplierPpm.toString(),
    };
    await tx.query("SELECT ledger_issue_lot($1)", [JSON.stringify(lot)]);
    return { accountId };
  }

  async balance(startupId: string): Promise<CreditBalance> {
    const rows = await this.db.query<CounterRow>(
      {
        name: "ledger-balance",
        text: `SELECT ${walletSums} FROM ledger_account WHERE kind = 'WALLET_LOT' AND organisation_id = $1`,
      },
      [startupId],
    );
    return this.credit(rows[0]!);
  }

  /** By wallet-lot account id; unknown ids are left out. */
  async lotBalances(accountIds: readonly string[]): Promise<Map<string, CreditBalance>> {
    const rows = await this.db.query<CounterRow & { id: string }>(
      {
        name: "ledger-lot-balances",
        text: `SELECT id, ${walletSums} FROM ledger_account WHERE kind = 'WALLET_LOT' AND id = ANY ($1) GROUP BY id`,
      },
      [accountIds],
    );
    return new Map(rows.map((row) => [row.id, this.credit(row)]));
  }

  async facilityBalances(facilityIds: readonly string[]): Promise<Map<string, FacilityBalance>> {
    const rows = await this.db.query<CounterRow & { facility_id: string; funded: string; released: string }>(
      {
        name: "ledger-facility-balances",
        text: `SELECT facility_id,
                      coalesce(sum(credits_posted) FILTER (WHERE kind = 'FACILITY_BACKING'), 0) AS funded,
                      coalesce(sum(debits_posted) FILTER (WHERE kind = 'FACILITY_BACKING'), 0) AS released,
                      coalesce(sum(debits_posted) FILTER (WHERE kind = 'CREDIT_ISSUANCE'), 0) AS issued,
                      coalesce(sum(credits_pending) FILTER (WHERE kind = 'CREDIT_REDEEMED'), 0) AS held,
                      coalesce(sum(credits_posted) FILTER (WHERE kind = 'CREDIT_REDEEMED'), 0) AS spent
                 FROM ledger_account
                WHERE kind IN ('FACILITY_BACKING', 'CREDIT_ISSUANCE', 'CREDIT_REDEEMED') AND facility_id = ANY ($1)
                GROUP BY facility_id`,
      },
      [facilityIds],
    );
    return new Map(
      rows.map((row) => [
        row.facility_id,
        {
          fundedNanoUsd: BigInt(row.funded),
          backingNanoUsd: BigInt(row.funded) - BigInt(row.released),
          issuedNanoCredit: BigInt(row.issued),
          heldNanoCredit: BigInt(row.held),
          spentNanoCredit: BigInt(row.spent),
        },
      ]),
    );
  }

  private credit(row: CounterRow): CreditBalance {
    const issued = BigInt(row.issued);
    const held = BigInt(row.held);
    const spent = BigInt(row.spent);
    return {
      issuedNanoCredit: issued,
      availableNanoCredit: issued - held - spent,
      heldNanoCredit: held,
      spentNanoCredit: spent,
      asOf: this.clock.now(),
    };
  }
}
