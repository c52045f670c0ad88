/** One request, told twice: to the startup without who served it, to the provider without whom it served. */
import { UsageOutcome } from "../enums";
import { Exact, Flag, Instant, Month, Of, Text, View, Whole } from "../fields";
import { Money } from "../money";
import { Node } from "../node";
import { connectionOf } from "../page";

@View("Receipt", "What a charged request was, used and cost, signed: it proves itself against our key set.")
export class ReceiptView {
  @Text(
    "A JWS in compact form, of type `exergy-receipt+jwt`, signed with Ed25519. The same each time, while the key is.",
  )
  jws!: string;
  // Text, not a link: what a startup reaches has no address in it but this one, of ours.
  @Text("Where the public key is, by the `kid` of the JWS.") jwksUri!: string;
}

@View("Usage", "A charged request, as the startup that sent it sees it.", { implements: [Node] })
export class UsageView extends Node {
  @Text("The request's id, as its response carried it in `x-request-id`.") requestId!: string;
  @Text("The model that answered.") model!: string;
  @Of(() => UsageOutcome, "How it ended.") outcome!: UsageOutcome;
  @Whole("Tokens of the prompt.") promptTokens!: number;
  @Whole("Tokens of the answer.") completionTokens!: number;
  @Exact("GPU time that the tokens account for, in GPU-seconds.") gpuSeconds!: string;
  @Of(() => Money, "What was charged.") charge!: Money;
  @Text("Region that it was served in.") region!: string;
  @Whole("How many tries it took; it is charged once.") attempts!: number;
  @Flag("Whether the answer was streamed.") streamed!: boolean;
  @Whole("Milliseconds to the first byte of content; null when none came.", { nullable: true }) ttftMs!: number | null;
  @Whole("Milliseconds from the first to the last byte of the exchange.") durationMs!: number;
  @Instant("When it was settled.") completedAt!: Date;
  acceleratorCode!: string;
  startupId!: string;
}

@View("Delivery", "A served request, as the provider that served it sees it.", { implements: [Node] })
export class DeliveryView extends Node {
  @Text("The request's id, as the provider received it in `x-request-id`.") requestId!: string;
  @Text("The marketplace's name of the model.") model!: string;
  @Of(() => UsageOutcome, "How it ended.") outcome!: UsageOutcome;
  @Whole("Tokens of the prompt.") promptTokens!: number;
  @Whole("Tokens of the answer.") completionTokens!: number;
  @Flag("Whether the token counts are a bound, because those reported were missing or implausible.")
  usageBounded!: boolean;
  @Exact("GPU time that the tokens account for, in GPU-seconds.") gpuSeconds!: string;
  @Of(() => Money, "What the provider earned.") accrual!: Money;
  @Exact("What the provider receives of the fixing, e.g. `0.85`.") share!: string;
  @Month("Billing month.") period!: string;
  @Whole("Milliseconds to the first byte of content; null when none came.", { nullable: true }) ttftMs!: number | null;
  @Whole("Milliseconds from the first to the last byte of the exchange.") durationMs!: number;
  @Instant("When it was settled.") completedAt!: Date;
  endpointId!: string;
  offeringId!: string;
  fixingId!: string;
}

export const UsageConnection = connectionOf<UsageView>("Usage", () => UsageView);
export const DeliveryConnection = connectionOf<DeliveryView>("Delivery", () => DeliveryView);
