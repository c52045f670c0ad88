/** Providers with bank accounts and final statements that fell due: what a worker pays. */
import { Statement } from "../../entities/statement";
import type { Viewer } from "../../src/accounts/viewer";
import { newId } from "../../src/platform/ids";
import { transaction } from "../../src/platform/transaction";
import { dueAt, endOf } from "../../src/statements/period";
import { anIban } from "../payouts/a-payout-world";
import type { MoneyMarket } from "./money-market";

const CENT = 10_000_000n;

export class Payees {
  /** What is owed in all, by statement. */
  readonly owed = new Map<string, bigint>();
  private readonly providerIds: string[] = [];

  constructor(private readonly market: MoneyMarket) {}

  /** One provider more; its account is proposed by one key and confirmed by another, as two people would. */
  async add(): Promise<void> {
    const { services, operator } = this.market;
    const nr = this.providerIds.length;
    const { id } = await services.accounts.createOrganisation(operator, { kind: "PROVIDER", name: `Payee ${nr}` });
    const [first, second] = [await this.key(id), await this.key(id)];
    const bank = { holder: `Payee ${nr}`, iban: anIban(`${nr}`), bic: "COBADEFFXXX", country: "DE" };
    const account = await services.payouts.accounts.propose(first, bank);
    await services.payouts.accounts.confirm(second, account.id);
    this.providerIds.push(id);
  }

  /** A statement of this month for each of them. Returns their ids. */
  async owe(period: string): Promise<string[]> {
    const ids: string[] = [];
    for (const [nr, providerId] of this.providerIds.entries()) {
      const total = BigInt(nr + 1) * 1_007n * CENT;
      const id = await this.statement(providerId, period, total);
      this.owed.set(id, total);
      ids.push(id);
    }
    return ids;
  }

  private async key(organisationId: string): Promise<Viewer> {
    const { accounts } = this.market.services;
    const scopes = ["READ", "WRITE", "ADMIN"] as const;
    const { secret } = await accounts.createApiKey(this.market.operator, { organisationId, name: "payee", scopes });
    return (await accounts.authenticate(secret))!;
  }

  private async statement(providerId: string, period: string, totalNanoUsd: bigint): Promise<string> {
    const { db, services, clock } = this.market;
    const [id, at] = [newId(), endOf(period)];
    const name = `statement:${id}`;
    const review = { draftedAt: at, reviewEndsAt: at, dueAt: dueAt(period) };
    await transaction(db, async (tx) => {
      await tx.insert(Statement, { id, providerId, period, totalNanoUsd, state: "IN_REVIEW", ...review, version: 1 });
      await tx.update(Statement, { id }, { state: "FINAL", finalisedAt: at });
      const account = { name, ledger: "USD", kind: "STATEMENT_PAYABLE", organisationId: providerId } as const;
      await services.ledger.openAccount(tx, { ...account, limited: true });
      await services.ledger.post(tx, {
        groupId: id,
        bookedAt: clock.now(),
        postings: [{ id: newId(), code: "STATEMENT", debit: "expense:claims", credit: name, amountNano: totalNanoUsd }],
      });
    });
    return id;
  }
}
