/** What providers claim for attempts that were never charged, and usage whose figures they got wrong. */
import { ClaimBound, ClaimState, RoutingAttemptResult, RoutingOutcome } from "../enums";
import { Big, Exact, Instant, Month, Of, Text, View, Whole } from "../fields";
import { Money } from "../money";
import { Node } from "../node";
import { connectionOf } from "../page";

@View("Claim", "What a provider says that it is owed for an attempt that was never charged; no startup ever pays it.", {
  implements: [Node],
})
export class ClaimView extends Node {
  @Text("The request's id, as the relay token says it.") requestId!: string;
  @Whole("Which try at the request it was, 1 for the first.") attempt!: number;
  @Instant("When the relay signed the attempt.") attemptedAt!: Date;
  @Big("Tokens of the prompt that are claimed.") promptTokens!: bigint;
  @Big("Tokens of the answer that are claimed.") completionTokens!: bigint;
  @Of(() => Money, "What these would earn.") requested!: Money;
  @Of(() => Money, "The most that what is known of the request allows.") bound!: Money;
  @Of(() => ClaimBound, "What that is, where it is less than the claim.") boundedBy!: ClaimBound;
  @Of(() => Money, "What waits in suspense, was paid, or was not.") amount!: Money;
  @Exact("What the provider receives of the fixing, e.g. `0.85`.") share!: string;
  @Text("What the provider says about it.", { nullable: true }) evidence!: string | null;
  @Of(() => RoutingOutcome, "How the relay says that the request ended; null when it left no word.", { nullable: true })
  routingOutcome!: RoutingOutcome | null;
  @Of(() => RoutingAttemptResult, "How the relay says that this attempt ended; null when it left no word.", {
    nullable: true,
  })
  attemptResult!: RoutingAttemptResult | null;
  @Of(() => ClaimState, "How it stands.") state!: ClaimState;
  @Instant("When it was submitted.") submittedAt!: Date;
  @Instant("When it was decided; null before.", { nullable: true }) decidedAt!: Date | null;
  @Text("Why it was decided so.", { nullable: true }) decision!: string | null;
  @Month("The billing month that it was paid in.", { nullable: true }) period!: string | null;
  @Whole("Counts its changes.") version!: number;
  providerId!: string;
  endpointId!: string;
  offeringId!: string;
}

@View("FlaggedUsage", "A charged request whose provider reported figures that cannot be, or none; for operators.", {
  implements: [Node],
})
export class FlaggedUsageView extends Node {
  @Text("The request's id.") requestId!: string;
  @Text("The marketplace's name of the model.") model!: string;
  @Big("Tokens of the prompt that the provider reported; null when that was no number.", { nullable: true })
  claimedPromptTokens!: bigint | null;
  @Big("Tokens of the answer that the provider reported; null when that was no number.", { nullable: true })
  claimedCompletionTokens!: bigint | null;
  @Whole("Tokens of the prompt that were charged.") promptTokens!: number;
  @Whole("Tokens of the answer that were charged.") completionTokens!: number;
  @Of(() => Money, "What the provider earned.") accrual!: Money;
  @Month("Billing month.") period!: string;
  @Instant("When it was settled.") completedAt!: Date;
  providerId!: string;
  endpointId!: string;
}

@View("FlaggedUsageCount", "How often one provider's figures were not taken in a month; for operators.")
export class FlaggedUsageCountView {
  @Big("Its charged requests in all.") requests!: bigint;
  @Big("Those whose figures were not taken.") flagged!: bigint;
  @Big("Those of them that claimed more than was charged.") inflated!: bigint;
  @Big("Tokens that were claimed beyond what was charged.") excessTokens!: bigint;
  providerId!: string;
}

export const ClaimConnection = connectionOf<ClaimView>("Claim", () => ClaimView);
export const FlaggedUsageConnection = connectionOf<FlaggedUsageView>("FlaggedUsage", () => FlaggedUsageView);
