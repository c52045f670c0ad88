/** Which accounts a line moves money between; accruals and claims were booked when they came about. */
import type { TransferCode } from "../../entities/transfer";
import type { StatementLineKind } from "../../schema/enums";
import type { NewAccount, Posting } from "../ledger/ledger";
import { newId } from "../platform/ids";

export const payableOf = (providerId: string, period: string): string => `payable:${providerId}:${period}`;
export const holdbackOf = (providerId: string): string => `holdback:${providerId}`;
export const owedBy = (statementId: string): string => `statement:${statementId}`;

export const payableAccount = (providerId: string, period: string): NewAccount => ({
  name: payableOf(providerId, period),
  ledger: "USD",
  kind: "PROVIDER_PAYABLE",
  organisationId: providerId,
  period,
  limited: true,
});
export const holdbackAccount = (providerId: string): NewAccount => ({
  name: holdbackOf(providerId),
  ledger: "USD",
  kind: "HOLDBACK",
  organisationId: providerId,
  limited: true,
});
export const statementAccount = (statementId: string, providerId: string, period: string): NewAccount => ({
  name: owedBy(statementId),
  ledger: "USD",
  kind: "STATEMENT_PAYABLE",
  organisationId: providerId,
  period,
  limited: true,
});

/** Where the money of a line comes from, or goes to when it is taken off. */
const counterparts: Partial<
  Record<StatementLineKind, { code: TransferCode; account: (providerId: string) => string }>
> = {
  // The platform's margin pays a better tier and its own mistakes.
  TRUE_UP: { code: "TRUE_UP", account: () => "revenue:spread" },
  CREDIT_NOTE: { code: "CREDIT_NOTE", account: () => "revenue:spread" },
  SLA_ADJUSTMENT: { code: "SLA_ADJUSTMENT", account: () => "reserve:sla" },
  HOLDBACK: { code: "HOLDBACK", account: holdbackOf },
  HOLDBACK_RELEASE: { code: "HOLDBACK_RELEASE", account: holdbackOf },
};

/** Null for a line whose money is on the payable account already. */
export function postingOf(
  line: { readonly kind: StatementLineKind; readonly amountNanoUsd: bigint },
  { providerId, period }: { readonly providerId: string; readonly period: string },
): Posting | null {
  const counterpart = counterparts[line.kind];
  if (counterpart === undefined) return null;
  const [payable, other] = [payableOf(providerId, period), counterpart.account(providerId)];
  const { amountNanoUsd } = line;
  const [debit, credit] = amountNanoUsd > 0n ? [other, payable] : [payable, other];
  return {
    id: newId(),
    code: counterpart.code,
    debit,
    credit,
    amountNano: amountNanoUsd > 0n ? amountNanoUsd : -amountNanoUsd,
  };
}
