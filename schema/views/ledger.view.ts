/** What is written in the ledger: accounts, entries with running balances, closed months, and whether any of it was altered. */
import { CurrencyCode, LedgerAccountKind, LedgerFaultKind, LedgerSide } from "../enums";
import { Big, Flag, Instant, ListOf, Month, Of, Text, View, Whole } from "../fields";
import { Money } from "../money";
import { Node } from "../node";
import { connectionOf } from "../page";

@View("LedgerCounters", "The four counters of an account.")
export class LedgerCountersView {
  @Of(() => Money, "What is set aside to leave it.") debitsPending!: Money;
  @Of(() => Money, "What has left it.") debitsPosted!: Money;
  @Of(() => Money, "What is set aside to arrive.") creditsPending!: Money;
  @Of(() => Money, "What has arrived.") creditsPosted!: Money;
  @Of(() => Money, "Arrived less left; below zero for what the marketplace holds or is owed, e.g. its cash.")
  balance!: Money;
}

@View("LedgerAccount", "An account of the ledger.", { implements: [Node] })
export class LedgerAccountView extends Node {
  @Text("Its name, e.g. `cash:trust`.") name!: string;
  @Of(() => LedgerAccountKind, "What it holds.") kind!: LedgerAccountKind;
  @Of(() => CurrencyCode, "In which currency.") currency!: CurrencyCode;
  @Month("The billing month that it is of; null when it is of none.", { nullable: true }) period!: string | null;
  @Flag("Whether it can never be overdrawn.") limited!: boolean;
  @Instant("When it was opened.") openedAt!: Date;
  @Of(() => LedgerCountersView, "How it stands.") counters!: LedgerCountersView;
  organisationId!: string | null;
  facilityId!: string | null;
}

export const LedgerAccountConnection = connectionOf<LedgerAccountView>("LedgerAccount", () => LedgerAccountView);

@View("LedgerEntry", "What one transfer did to an account. Written up within seconds; it is never changed.")
export class LedgerEntryView {
  @Big("Counts the account's entries from 1, without a gap.") version!: bigint;
  @Text("Why it moved, e.g. `USAGE`.") code!: string;
  @Of(() => LedgerSide, "On which side.") side!: LedgerSide;
  @Text("The act that it is part of: of a request, its id.") actId!: string;
  @Of(() => Money, "What was moved.") posted!: Money;
  @Of(() => Money, "What was set aside; below zero when that ended.") pending!: Money;
  @Of(() => LedgerCountersView, "How the account stood after it.") counters!: LedgerCountersView;
  @Instant("When it counts from.") bookedAt!: Date;
  @Instant("When it was written.") recordedAt!: Date;
}

export const LedgerEntryConnection = connectionOf<LedgerEntryView>("LedgerEntry", () => LedgerEntryView);

@View("LedgerBalance", "How an account stood by an instant.")
export class LedgerBalanceView {
  @Of(() => LedgerAccountView, "The account, as it is now.") account!: LedgerAccountView;
  @Of(() => LedgerCountersView, "How it stood.") counters!: LedgerCountersView;
  @Instant("Counting what was booked at or before this; null: everything.", { nullable: true }) bookedAt!: Date | null;
  @Instant("Counting what was on the record at or before this; null: everything.", { nullable: true })
  recordedAt!: Date | null;
}

@View("LedgerFault", "A row of the ledger's history that is not what was written.")
export class LedgerFaultView {
  @Of(() => LedgerFaultKind, "What is wrong with it.") kind!: LedgerFaultKind;
  @Text("The row, e.g. `transfer 019a…`, `page 7`, `account cash:trust`.") subject!: string;
  @Whole("The page of the journal that vouches for it; null for an account.", { nullable: true }) page!: number | null;
}

@View("LedgerVerification", "What came of holding pages of the journal against the rows that they vouch for.")
export class LedgerVerificationView {
  @Whole("Pages that were checked.") pagesChecked!: number;
  @Whole("Transfers on them.") transfersChecked!: number;
  @Whole("The last page that was checked; null when there is none.", { nullable: true }) headPage!: number | null;
  @Text(
    "Its hash, in hexadecimal. Whoever notes it elsewhere can show later that nothing before it was written anew; null when there is none.",
    { nullable: true },
  )
  headHash!: string | null;
  @ListOf(() => LedgerFaultView, "Every row that is not as it was written; empty when all is well.")
  faults!: LedgerFaultView[];
}

@View("AccountingPeriod", "A month whose books are closed: nothing is booked into it any more.")
export class AccountingPeriodView {
  @Month("The month, in UTC.") period!: string;
  @Instant("When it was closed.") closedAt!: Date;
}
