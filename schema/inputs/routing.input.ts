/** Which routing decisions, for the startup and for the provider. */
import { RoutingOutcome } from "../enums";
import { GlobalId, Input, Instant, Of, OneOf, Text } from "../fields";

@Input("RoutingDecisionFilter", "Which routing decisions.")
export class RoutingDecisionFilter {
  @GlobalId("Of this startup.", { nullable: true }) startupId?: string | null;
  @Text("For this model.", { nullable: true }) model?: string | null;
  @Of(() => RoutingOutcome, "That ended so.", { nullable: true }) outcome?: RoutingOutcome | null;
  @Instant("Decided at this instant or later.", { nullable: true }) from?: Date | null;
  @Instant("Decided before this instant.", { nullable: true }) to?: Date | null;
}

@OneOf("RoutingDecisionSelector", "Which routing decision, by one of the names that it is known by.")
export class RoutingDecisionSelector {
  @GlobalId("Its id.", { nullable: true }) id?: string | null;
  @Text("The request's id, as its response carried it in `x-request-id`.", { nullable: true }) requestId?:
    | string
    | null;
}

@Input("RoutingLossFilter", "Which losses; of the last seven days when nothing is given.")
export class RoutingLossFilter {
  @GlobalId("Of this provider; an operator has to name one.", { nullable: true }) providerId?: string | null;
  @Instant("Asked for at this instant or later.", { nullable: true }) from?: Date | null;
  @Instant("Asked for before this instant, at most 31 days later.", { nullable: true }) to?: Date | null;
}

@Input("RoutingCandidacyFilter", "Which candidacies.")
export class RoutingCandidacyFilter {
  @Text("For this model.", { nullable: true }) model?: string | null;
  @Instant("Decided at this instant or later.", { nullable: true }) from?: Date | null;
  @Instant("Decided before this instant.", { nullable: true }) to?: Date | null;
}
