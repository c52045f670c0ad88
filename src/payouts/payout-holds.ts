/** Why a scheduled payout stays where it is, and which bank account it would go to. */
import type { PayoutAccountState, PayoutHoldReason } from "../../schema/enums";

/** What of a bank account decides. */
export interface AccountTimes {
  readonly id: string;
  readonly state: "PROPOSED" | "CONFIRMED" | "CANCELLED";
  readonly usableFrom: Date | null;
}

export interface AccountSituation {
  /** The confirmed account whose cooling ended last. */
  readonly usableId: string | null;
  /** A change is young: nothing is paid, to the account before it neither, so that whoever was robbed of it has time. */
  readonly cooling: boolean;
}

/** `accounts` are all of one provider. */
export function situationOf(accounts: readonly AccountTimes[], now: Date): AccountSituation {
  const confirmed = accounts.filter(({ state }) => state === "CONFIRMED");
  const usable = confirmed.filter(({ usableFrom }) => usableFrom! <= now).toSorted(byUse);
  return { usableId: usable.at(-1)?.id ?? null, cooling: usable.length < confirmed.length };
}

const byUse = (a: AccountTimes, b: AccountTimes) =>
  a.usableFrom!.getTime() - b.usableFrom!.getTime() || (a.id < b.id ? -1 : 1);

/** As people are shown it. */
export function accountStateOf(account: AccountTimes, { usableId }: AccountSituation, now: Date): PayoutAccountState {
  if (account.state !== "CONFIRMED") return account.state;
  if (account.usableFrom! > now) return "COOLING";
  return account.id === usableId ? "ACTIVE" : "REPLACED";
}

export interface Payability {
  readonly hasRail: boolean;
  readonly account: AccountSituation;
  readonly frozen: boolean;
  readonly amountNanoUsd: bigint;
  /** More than this needs two operators. */
  readonly approvalLimitNanoUsd: bigint;
  /** Of different operators' people or keys, for the account that it would go to. */
  readonly approvals: number;
}

export const APPROVALS_NEEDED = 2;

/** All reasons at once; none: it leaves with the next run. */
export function holdsOn(payout: Payability): PayoutHoldReason[] {
  const { account, amountNanoUsd, approvalLimitNanoUsd, approvals } = payout;
  const reasons: readonly (readonly [boolean, PayoutHoldReason])[] = [
    [!payout.hasRail, "NO_RAIL"],
    [account.usableId === null && !account.cooling, "NO_ACCOUNT"],
    [account.cooling, "ACCOUNT_COOLING"],
    [payout.frozen, "FROZEN"],
    [amountNanoUsd > approvalLimitNanoUsd && approvals < APPROVALS_NEEDED, "APPROVAL_MISSING"],
  ];
  return reasons.filter(([holds]) => holds).map(([, reason]) => reason);
}
