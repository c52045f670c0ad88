/** Why requests went where they went: to startups without any name, to providers about their own endpoints. */
import { RoutingAttemptResult, RoutingLossReason, RoutingOutcome, RoutingRefusal } from "../enums";
import { Exact, Flag, Instant, ListOf, Of, Text, View, Whole } from "../fields";
import { Node } from "../node";
import { connectionOf } from "../page";

@View("RoutingAttempt", "One try at serving a request.")
export class RoutingAttemptView {
  @Whole("Its place among the tries, from 1.") position!: number;
  @Of(() => RoutingAttemptResult, "How it ended.") result!: RoutingAttemptResult;
  @Whole("Milliseconds that it took.") durationMs!: number;
}

@View("RoutingRefusalCount", "How many candidates were passed over for one reason.")
export class RoutingRefusalCountView {
  @Of(() => RoutingRefusal, "The reason.") reason!: RoutingRefusal;
  @Whole("How many candidates.") count!: number;
}

@View("RoutingDecision", "How one request of a startup was routed, without naming who could have served it.", {
  implements: [Node],
})
export class RoutingDecisionView extends Node {
  @Text("The request's id, as its response carried it in `x-request-id`.") requestId!: string;
  @Text("The model that was asked for.") model!: string;
  @Of(() => RoutingOutcome, "How it ended.") outcome!: RoutingOutcome;
  @Whole("How many candidates offer the model.") candidateCount!: number;
  @ListOf(() => RoutingRefusalCountView, "Why candidates were passed over.") refusals!: RoutingRefusalCountView[];
  @ListOf(() => RoutingAttemptView, "Every try, in order.") attempts!: RoutingAttemptView[];
  @Instant("When it was decided.") decidedAt!: Date;
}

@View("RoutingCandidate", "What became of one endpoint in one decision.")
export class RoutingCandidateView {
  @Flag("Whether it served the request.") chosen!: boolean;
  @Of(() => RoutingRefusal, "Why it was passed over; null when it could have taken the request.", { nullable: true })
  refusal!: RoutingRefusal | null;
  @ListOf(() => RoutingAttemptView, "The tries at it; their position counts all tries of the decision.")
  attempts!: RoutingAttemptView[];
  endpointId!: string;
}

@View("RoutingCandidacy", "A provider's part in one decision: its own endpoints, and nobody else's.", {
  implements: [Node],
})
export class RoutingCandidacyView extends Node {
  @Text("The request's id, as an endpoint that was tried received it in `x-request-id`.") requestId!: string;
  @Text("The model that was asked for.") model!: string;
  @ListOf(() => RoutingCandidateView, "The endpoints that were looked at.") candidates!: RoutingCandidateView[];
  @Instant("When it was decided.") decidedAt!: Date;
}

@View("ExplainedCandidate", "What became of one candidate for a request.")
export class ExplainedCandidateView {
  @Text(
    "A name for it, the same in all explanations for one reader, so that they can be laid side by side: whose it is, its id; for a startup nothing but a name.",
  )
  handle!: string;
  @Flag("Whether it served the request.") chosen!: boolean;
  @Of(() => RoutingRefusal, "Why it was passed over; null when it could have taken the request.", { nullable: true })
  refusal!: RoutingRefusal | null;
  @Text("What became of it, in words.") reason!: string;
  @ListOf(() => RoutingAttemptView, "The tries at it; their position counts all tries of the request.")
  attempts!: RoutingAttemptView[];
}

@View(
  "RouteExplanation",
  "Why a request went where it went: to its startup without naming who could have served it, to a provider about its own endpoints alone.",
)
export class RouteExplanationView {
  @Text("The request's id.") requestId!: string;
  @Text("The model that was asked for.") model!: string;
  @Of(() => RoutingOutcome, "How it ended.") outcome!: RoutingOutcome;
  @Text("The decision in a sentence.") summary!: string;
  @ListOf(() => ExplainedCandidateView, "The endpoints that were looked at, of those that you may hear about.")
  candidates!: ExplainedCandidateView[];
  @Instant("When it was decided.") decidedAt!: Date;
}

@View("RoutingLoss", "What others served although the provider offers the model, for one reason.")
export class RoutingLossView {
  @Of(() => RoutingLossReason, "The reason.") reason!: RoutingLossReason;
  @Whole("How many charged requests.") requests!: number;
  @Exact("GPU time that they were charged for where they were served, in GPU-hours.") gpuHours!: string;
}

export const RoutingDecisionConnection = connectionOf<RoutingDecisionView>(
  "RoutingDecision",
  () => RoutingDecisionView,
);
export const RoutingCandidacyConnection = connectionOf<RoutingCandidacyView>(
  "RoutingCandidacy",
  () => RoutingCandidacyView,
);
