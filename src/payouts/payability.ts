/** Reads what decides whether payouts may leave: bank accounts, approvals, and the rules of this marketplace. */
import type { EntityManager } from "typeorm";
import type { Payout } from "../../entities/payout";
import type { PayoutHoldReason } from "../../schema/enums";
import { type AccountSituation, type AccountTimes, holdsOn, situationOf } from "./payout-holds";

export interface PayoutRules {
  readonly hasRail: boolean;
  readonly approvalLimitNanoUsd: bigint;
}

export interface PayoutStanding {
  readonly holds: readonly PayoutHoldReason[];
  readonly account: AccountSituation;
  /** Of different people or keys, for that account. */
  readonly approvals: number;
}

type Held = Pick<Payout, "id" | "providerId" | "amountNanoUsd" | "frozenAt">;

/** Whoever decides by it inside a transaction locks the accounts: a change of account waits, or is seen. */
export async function standingsOf(
  tx: EntityManager,
  payouts: readonly Held[],
  rules: PayoutRules,
  now: Date,
  options: { lock?: boolean } = {},
): Promise<Map<string, PayoutStanding>> {
  const accounts = await accountsOf(
    tx,
    payouts.map(({ providerId }) => providerId),
    options,
  );
  const approvals = await approvalsOf(
    tx,
    payouts.filter(({ amountNanoUsd }) => amountNanoUsd > rules.approvalLimitNanoUsd).map(({ id }) => id),
  );
  return new Map(
    payouts.map((payout) => {
      const account = situationOf(accounts.get(payout.providerId) ?? [], now);
      const approved = approvals.get(`${payout.id} ${account.usableId}`) ?? 0;
      const { amountNanoUsd, frozenAt } = payout;
      const holds = holdsOn({ ...rules, account, frozen: frozenAt !== null, amountNanoUsd, approvals: approved });
      return [payout.id, { holds, account, approvals: approved }];
    }),
  );
}

/** Those that count, by provider. */
export async function accountsOf(
  tx: EntityManager,
  providerIds: readonly string[],
  { lock = false }: { lock?: boolean } = {},
): Promise<Map<string, AccountTimes[]>> {
  const rows: { id: string; provider_id: string; usable_from: Date }[] = await tx.query(
    `SELECT id, provider_id, usable_from FROM payout_account
      WHERE provider_id = ANY ($1) AND state <> 'CANCELLED' ORDER BY id ${lock ? "FOR SHARE" : ""}`,
    [[...new Set(providerIds)]],
  );
  const byProvider = new Map<string, AccountTimes[]>();
  for (const { id, provider_id, usable_from } of rows) {
    const state = usable_from === null ? "PROPOSED" : "CONFIRMED";
    const known = byProvider.get(provider_id) ?? [];
    byProvider.set(provider_id, [...known, { id, state, usableFrom: usable_from }]);
  }
  return byProvider;
}

/** By payout and account. */
async function approvalsOf(tx: EntityManager, payoutIds: readonly string[]): Promise<Map<string, number>> {
  if (payoutIds.length === 0) return new Map();
  const rows: { payout_id: string; account_id: string; approvals: number }[] = await tx.query(
    `SELECT payout_id, account_id, count(DISTINCT approved_by)::int AS approvals FROM payout_approval
      WHERE payout_id = ANY ($1) GROUP BY payout_id, account_id`,
    [payoutIds],
  );
  return new Map(rows.map((row) => [`${row.payout_id} ${row.account_id}`, row.approvals]));
}
