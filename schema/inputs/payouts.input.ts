/** What can be asked of accruals, payouts and the accounts that they go to. */
import { PayoutOutcome, PayoutState } from "../enums";
import { GlobalId, Input, Month, Of, Text, Whole } from "../fields";

@Input("AccrualFilter", "Which accruals.")
export class AccrualFilter {
  @GlobalId("Of this provider.", { nullable: true }) providerId?: string | null;
  @Month("Of this billing month.", { nullable: true }) period?: string | null;
}

@Input("PayoutFilter", "Which payouts.")
export class PayoutFilter {
  @GlobalId("Of this provider.", { nullable: true }) providerId?: string | null;
  @Of(() => PayoutState, "In this state.", { nullable: true }) state?: PayoutState | null;
  @Month("Of this billing month.", { nullable: true }) period?: string | null;
}

@Input("PayoutExportFilter", "Payouts of which the file is made.")
export class PayoutExportFilter {
  @GlobalId("Of this provider.", { nullable: true }) providerId?: string | null;
  @Month("Of this billing month.", { nullable: true }) period?: string | null;
}

@Input("PayoutAccountFilter", "Which bank accounts.")
export class PayoutAccountFilter {
  @GlobalId("Of this provider.", { nullable: true }) providerId?: string | null;
}

@Input("PayoutAccountProposeInput", "A bank account to be paid to.")
export class PayoutAccountProposeInput {
  @GlobalId("The provider; your own organisation when left out.", { nullable: true }) providerId?: string | null;
  @Text("Whom the bank knows as its holder.") holder!: string;
  @Text("Its IBAN, with spaces or without.") iban!: string;
  @Text("Its bank, 8 or 11 characters, e.g. `COBADEFFXXX`.") bic!: string;
  @Text("Country of the account, two letters: those that the IBAN begins with.") country!: string;
}

@Input("PayoutAccountConfirmInput", "Which proposed bank account is right.")
export class PayoutAccountConfirmInput {
  @GlobalId("The account.") id!: string;
  @Whole("Only if its version is still this one.", { nullable: true }) expectedVersion?: number | null;
}

@Input("PayoutAccountCancelInput", "Which bank account is taken back.")
export class PayoutAccountCancelInput {
  @GlobalId("The account.") id!: string;
  @Whole("Only if its version is still this one.", { nullable: true }) expectedVersion?: number | null;
}

@Input("PayoutApproveInput", "Which large payout may go to the account that its provider has now.")
export class PayoutApproveInput {
  @GlobalId("The payout.") id!: string;
  @Whole("Only if its version is still this one.", { nullable: true }) expectedVersion?: number | null;
}

@Input("PayoutHoldInput", "Which payout is held, and why.")
export class PayoutHoldInput {
  @GlobalId("The payout.") id!: string;
  @Text("Why, for the provider to read.") reason!: string;
  @Whole("Only if its version is still this one.", { nullable: true }) expectedVersion?: number | null;
}

@Input("PayoutReleaseInput", "Which payout is held no longer.")
export class PayoutReleaseInput {
  @GlobalId("The payout.") id!: string;
  @Whole("Only if its version is still this one.", { nullable: true }) expectedVersion?: number | null;
}

@Input("PayoutConfirmInput", "What became of a payment by file at the bank.")
export class PayoutConfirmInput {
  @GlobalId("The payout.") id!: string;
  @Of(() => PayoutOutcome, "What became of it.") outcome!: PayoutOutcome;
  @Text("Of a return: its ISO 20022 reason, e.g. `AC04`.", { nullable: true }) code?: string | null;
  @Text("Of a return: the bank's words.", { nullable: true }) reason?: string | null;
}

@Input("PayoutReissueInput", "Which payout that came back is tried again.")
export class PayoutReissueInput {
  @GlobalId("The payout.") id!: string;
}

@Input("PayoutRunInput", "Which payouts leave now.")
export class PayoutRunInput {
  @Text("A word for the audit trail, e.g. why it is not left to the worker.", { nullable: true }) note?: string | null;
}
