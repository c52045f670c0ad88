/** A routing decision in words: what became of each endpoint that was looked at. */
import type { RoutingAttempt, RoutingCandidate, RoutingDecision } from "../../entities/routing-decision";
import type { RoutingOutcome } from "../../schema/enums";
import type { RefusalReason } from "./refusal";

const refused: Readonly<Record<RefusalReason, string>> = {
  MODEL_MISMATCH: "it offers another model",
  OFFERING_NOT_LIVE: "its offering of the model was staged or withdrawn",
  ENDPOINT_NOT_LIVE: "it was not live",
  REGION_MISMATCH: "the request asked for another region",
  TIER_BELOW_ASKED: "the request asked for a higher service level",
  ACCELERATOR_NOT_COVERED: "the credit that was left for the request is kept for other accelerators",
  CONTEXT_TOO_LONG: "prompt and output exceeded what it takes",
  IN_MAINTENANCE: "it was in planned downtime",
  NO_CAPACITY_WINDOW: "no window listed a GPU there",
  NOT_PRICED: "there was no fixing for its accelerator and region",
  COOLING_DOWN: "it had failed or throttled shortly before and was given a rest",
  SATURATED: "all of its slots were taken",
  ALREADY_TRIED: "it had failed this request before",
};

const ended: Readonly<Record<string, string>> = {
  CONNECT: "no connection came about",
  TIMEOUT: "it did not answer in time",
  THROTTLED: "it asked to come back later",
  STATUS_5XX: "it failed with a status of the 500s",
  REFUSED: "it would not take the request",
  CUT: "it began an answer and did not finish it",
  CLIENT_GONE: "the client went away first",
};

export function reasonOf(
  { endpointId, refusal }: RoutingCandidate,
  decision: Pick<RoutingDecision, "endpointId" | "attempts">,
): string {
  const own = decision.attempts.filter((attempt) => attempt.endpointId === endpointId);
  if (own.length > 0) return own.map(attemptInWords).join(" ");
  if (refusal !== null) return `Passed over: ${refused[refusal as RefusalReason] ?? refusal}.`;
  return decision.attempts.length === 0
    ? "It could have taken the request, which ended before anybody was asked."
    : "It could have taken the request; of those that could, two are drawn by free slots, price and service level, and the one with less work ahead is asked.";
}

function attemptInWords({ result, durationMs }: RoutingAttempt): string {
  if (result === "OK") return `Chosen: it served the request in ${durationMs} ms.`;
  return `Tried: ${ended[result] ?? "it found fault with the request, as any other would have"} (${durationMs} ms).`;
}

const outcomes: Readonly<Record<RoutingOutcome, string>> = {
  SERVED: "served by the first that was asked",
  REROUTED: "served after others had failed",
  FAILED: "not served, or not to its end",
  ABORTED: "given up because the client left",
};

/** `those`: the candidates that the reader may hear about. */
export function summaryOf(decision: RoutingDecision, those: readonly RoutingCandidate[]): string {
  const able = those.filter(({ refusal }) => refusal === null).length;
  const offer = those.length === 1 ? "1 endpoint that offers" : `${those.length} endpoints that offer`;
  const tries = decision.attempts.filter(({ endpointId }) => those.some((known) => known.endpointId === endpointId));
  const tried = tries.length === 1 ? "1 try" : `${tries.length} tries`;
  return `The request was ${outcomes[decision.outcome]}. Of ${offer} the model ${able} could take it; ${tried}.`;
}
