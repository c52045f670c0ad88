/** What providers have earned, when it falls due, and how far it is on its way to their bank accounts. */
import { PayoutAccountChange, PayoutAccountState, PayoutChange, PayoutRailKind, PayoutState } from "../enums";
import { Exact, Instant, Month, Of, Text, View, Whole } from "../fields";
import { Money } from "../money";
import { Node } from "../node";
import { connectionOf } from "../page";
import { streamMessage } from "../stream";

@View("Accrual", "What a provider has earned in one billing month.", { implements: [Node] })
export class AccrualView extends Node {
  @Month("Billing month.") period!: string;
  @Of(() => Money, "Earned so far.") accrued!: Money;
  @Whole("Requests that it was earned with.") requests!: number;
  @Exact("GPU time that it was earned with, in GPU-seconds.") gpuSeconds!: string;
  @Instant("When it falls due: 30 days after the month's end.") dueAt!: Date;
  providerId!: string;
}

export const AccrualConnection = connectionOf<AccrualView>("Accrual", () => AccrualView);

@View("PayoutAttempt", "One try to pay a payout. A payment that came back is followed by another.")
export class PayoutAttemptView {
  @Whole("Counts from 1.") number!: number;
  @Of(() => PayoutState, "How it stands: SUBMITTED, IN_TRANSIT, SETTLED or RETURNED.") state!: PayoutState;
  @Of(() => PayoutRailKind, "By which way it was handed to the bank.") rail!: PayoutRailKind;
  @Text("What the bank calls it, or the name of the file that it is in; null until the bank has it.", {
    nullable: true,
  })
  reference!: string | null;
  @Instant("When it was taken off the statement, to be handed over.") submittedAt!: Date;
  @Instant("When the bank took it over.", { nullable: true }) acceptedAt!: Date | null;
  @Instant("When the bank began to pay it, as far as it said so.", { nullable: true }) inTransitAt!: Date | null;
  @Instant("When the provider had it.", { nullable: true }) settledAt!: Date | null;
  @Instant("When it came back.", { nullable: true }) returnedAt!: Date | null;
  @Text("ISO 20022 reason of the return, e.g. `AC04` for a closed account.", { nullable: true }) returnCode!:
    | string
    | null;
  @Text("The bank's words for it.", { nullable: true }) returnReason!: string | null;
  accountId!: string;
}

@View("Payout", "What is paid for one statement, in whole cents.", { implements: [Node] })
export class PayoutView extends Node {
  @Month("The statement's billing month.") period!: string;
  @Of(() => PayoutState, "How far it is.") state!: PayoutState;
  @Of(() => Money, "What is paid: whole cents of the statement and of what earlier ones left over.") amount!: Money;
  @Of(() => Money, "What earlier statements left over and this one pays along.") carriedIn!: Money;
  @Of(() => Money, "Less than a cent that stays owed and goes into the provider's next payout.") leftOver!: Money;
  @Instant("When it fell due.") dueAt!: Date;
  @Instant("When it was made of its statement.") scheduledAt!: Date;
  @Text("Why an operator holds it; null when none does.", { nullable: true }) frozenReason!: string | null;
  @Whole("Counts its changes; pass it as expectedVersion to change only what you have read.") version!: number;
  payoutId!: string;
  providerId!: string;
  statementId!: string;
}

export const PayoutConnection = connectionOf<PayoutView>("Payout", () => PayoutView);

@View("PayoutAccount", "A provider's bank account. Its number is kept sealed and never shown whole.", {
  implements: [Node],
})
export class PayoutAccountView extends Node {
  @Of(() => PayoutAccountState, "How it stands.") state!: PayoutAccountState;
  @Text("Whom the bank knows as its holder.") holder!: string;
  @Text("The end of its IBAN, the rest as dots, e.g. `DE•• •••• 3000`.") maskedIban!: string;
  @Text("The bank, e.g. `COBADEFFXXX`.") bic!: string;
  @Text("Country of the account, two letters.") country!: string;
  @Instant("When it was proposed.") proposedAt!: Date;
  @Instant("When a second person confirmed it.", { nullable: true }) confirmedAt!: Date | null;
  @Instant("When its cooling period ends; nothing is paid to the provider until then.", { nullable: true })
  usableFrom!: Date | null;
  @Instant("When it was taken back.", { nullable: true }) cancelledAt!: Date | null;
  @Whole("Counts its changes; pass it as expectedVersion to change only what you have read.") version!: number;
  providerId!: string;
}

export const PayoutAccountConnection = connectionOf<PayoutAccountView>("PayoutAccount", () => PayoutAccountView);

@View("PayoutRun", "What a payout run handed over.")
export class PayoutRunView {
  @Whole("Payments.") submitted!: number;
  @Of(() => Money, "Their sum.") amount!: Money;
}

@View("PayoutExport", "Payouts with the lines of their statements as a file.")
export class PayoutExportView {
  @Text("A name for it.") fileName!: string;
  @Text(
    "RFC 4180; the first row names the columns, one row per line follows. Cells that a spreadsheet would run begin with an apostrophe.",
  )
  csv!: string;
  @Whole("Rows without the first.") rows!: number;
}

@View("PayoutEvent", "A change of one payout.")
export class PayoutEventView {
  @Text("Pass it as `after` to go on behind this message.") cursor!: string;
  @Of(() => PayoutChange, "What happened.") change!: PayoutChange;
  @Of(() => PayoutView, "The payout as it is now.") node!: PayoutView;
}

export const PayoutChangeMessage = streamMessage(
  "PayoutChangeMessage",
  "A message of the stream of payouts.",
  () => PayoutEventView,
);

@View("PayoutAccountEvent", "A change of one bank account.")
export class PayoutAccountEventView {
  @Text("Pass it as `after` to go on behind this message.") cursor!: string;
  @Of(() => PayoutAccountChange, "What happened.") change!: PayoutAccountChange;
  @Of(() => PayoutAccountView, "The account as it is now.") node!: PayoutAccountView;
}

export const PayoutAccountChangeMessage = streamMessage(
  "PayoutAccountChangeMessage",
  "A message of the stream of bank accounts.",
  () => PayoutAccountEventView,
);
