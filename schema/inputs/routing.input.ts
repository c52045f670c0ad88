/** Which routing decisions, for the startup and for the provider. */
import { RoutingOutcome } from "../enums";
import { GlobalId, Input, Of, Text } from "../fields";

@Input("RoutingDecisionFilter", "Which routing decisions.")
export class RoutingDecisionFilter {
  @GlobalId("Of this startup.", { nullable: true }) startupId?: string | null;
  @Text("For this model.", { nullable: true }) model?: string | null;
  @Of(() => RoutingOutcome, "That ended so.", { nullable: true }) outcome?: RoutingOutcome | null;
}

@Input("RoutingCandidacyFilter", "Which candidacies.")
export class RoutingCandidacyFilter {
  @Text("For this model.", { nullable: true }) model?: string | null;
}
