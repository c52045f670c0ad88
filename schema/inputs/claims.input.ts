/** What can be asked of claims. */
import { ClaimState } from "../enums";
import { Flag, GlobalId, Input, Month, Of, Text, Whole } from "../fields";

@Input(
  "ClaimSubmitInput",
  "An attempt that was served and never charged: the relay crashed, or its answer was cut off.",
)
export class ClaimSubmitInput {
  @Text("The token that came with the attempt, in `x-exergy-relay-token`.") relayToken!: string;
  @GlobalId("The offering that served it.") offeringId!: string;
  @Whole("Tokens of the prompt.") promptTokens!: number;
  @Whole("Tokens of the answer.") completionTokens!: number;
  @Text(
    "The request as it was received, byte for byte: the token has its hash, and what it says bounds the claim. It is read once and not kept.",
    { nullable: true },
  )
  requestBody?: string | null;
  @Text("Whatever else speaks for the claim.", { nullable: true }) evidence?: string | null;
}

@Input("ClaimDecideInput", "A decision on a claim.")
export class ClaimDecideInput {
  @GlobalId("The claim.") id!: string;
  @Flag("Whether it is paid: then its amount goes into what the provider is owed for the month.") pay!: boolean;
  @Text("Why, for the provider to read.") reason!: string;
}

@Input("ClaimFilter", "Which claims.")
export class ClaimFilter {
  @GlobalId("Of this provider.", { nullable: true }) providerId?: string | null;
  @GlobalId("For attempts at this endpoint.", { nullable: true }) endpointId?: string | null;
  @Of(() => ClaimState, "That stand so.", { nullable: true }) state?: ClaimState | null;
}

@Input("FlaggedUsageFilter", "Which flagged usage.")
export class FlaggedUsageFilter {
  @GlobalId("Of this provider.", { nullable: true }) providerId?: string | null;
  @GlobalId("Of this endpoint.", { nullable: true }) endpointId?: string | null;
  @Month("Of this billing month.", { nullable: true }) period?: string | null;
  @Flag("True: more was claimed than was charged. False: nothing usable was said.", { nullable: true })
  inflated?: boolean | null;
}
