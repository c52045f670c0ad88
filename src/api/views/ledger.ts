/** Accounts, entries and findings of the ledger as views. */
import type { AccountingPeriod } from "../../../entities/accounting-period";
import type { LedgerAccount } from "../../../entities/ledger-account";
import type { CurrencyCode } from "../../../schema/enums";
import type { Money } from "../../../schema/money";
import { encodeId } from "../../../schema/node";
import type {
  AccountingPeriodView,
  LedgerAccountView,
  LedgerBalanceView,
  LedgerCountersView,
  LedgerEntryView,
  LedgerVerificationView,
} from "../../../schema/views/ledger.view";
import { balanceOf, type Counters } from "../../ledger/counters";
import type { EntryRow } from "../../ledger/ledger-books";
import type { Verification } from "../../ledger/verify";
import { credits, usd } from "./money";

const moneyOf = (currency: CurrencyCode, nano: bigint): Money => (currency === "USD" ? usd(nano) : credits(nano));

const countersView = (currency: CurrencyCode, counters: Counters): LedgerCountersView => ({
  debitsPending: moneyOf(currency, counters.debitsPending),
  debitsPosted: moneyOf(currency, counters.debitsPosted),
  creditsPending: moneyOf(currency, counters.creditsPending),
  creditsPosted: moneyOf(currency, counters.creditsPosted),
  balance: moneyOf(currency, balanceOf(counters)),
});

export const ledgerAccountView = (row: LedgerAccount): LedgerAccountView => ({
  id: encodeId("LedgerAccount", row.id),
  name: row.name,
  kind: row.kind,
  currency: row.ledger,
  period: row.period,
  limited: row.limited,
  openedAt: row.createdAt,
  counters: countersView(row.ledger, row),
  organisationId: row.organisationId,
  facilityId: row.facilityId,
});

export const ledgerEntryView =
  ({ ledger }: LedgerAccount) =>
  (row: EntryRow): LedgerEntryView => ({
    version: row.version,
    code: row.code,
    side: row.side,
    actId: row.groupId,
    posted: moneyOf(ledger, row.posted),
    pending: moneyOf(ledger, row.pending),
    counters: countersView(ledger, row),
    bookedAt: row.bookedAt,
    recordedAt: row.recordedAt,
  });

export const ledgerBalanceView = (
  account: LedgerAccount,
  counters: Counters,
  asOf: { bookedAt: Date | null; recordedAt: Date | null },
): LedgerBalanceView => ({
  account: ledgerAccountView(account),
  counters: countersView(account.ledger, counters),
  ...asOf,
});

export const ledgerVerificationView = (verification: Verification): LedgerVerificationView => ({
  pagesChecked: verification.pagesChecked,
  transfersChecked: verification.transfersChecked,
  headPage: verification.head?.page ?? null,
  headHash: verification.head?.hash ?? null,
  faults: [...verification.faults],
});

export const accountingPeriodView = ({ period, closedAt }: AccountingPeriod): AccountingPeriodView => ({
  period,
  closedAt,
});
