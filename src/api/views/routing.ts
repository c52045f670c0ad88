/** A routing decision as the startup's view (counts only) or as one provider's (its own endpoints only). */
import type { RoutingAttempt, RoutingDecision } from "../../../entities/routing-decision";
import { RoutingAttemptResult, type RoutingRefusal } from "../../../schema/enums";
import { encodeId } from "../../../schema/node";
import type {
  RoutingAttemptView,
  RoutingCandidacyView,
  RoutingCandidateView,
  RoutingDecisionView,
  RoutingRefusalCountView,
} from "../../../schema/views/routing.view";

/** The log keeps the status by which a request was rejected, e.g. `STATUS_400`: no word of the contract, and of no use to others. */
const resultOf = (logged: string): RoutingAttemptResult =>
  Object.hasOwn(RoutingAttemptResult, logged) ? (logged as RoutingAttemptResult) : "REJECTED";

export const attemptView = ({ result, durationMs }: RoutingAttempt, index: number): RoutingAttemptView => ({
  position: index + 1,
  result: resultOf(result),
  durationMs,
});

export const routingDecisionView = (row: RoutingDecision): RoutingDecisionView => ({
  id: encodeId("RoutingDecision", row.id),
  requestId: row.id,
  model: row.model,
  outcome: row.outcome,
  candidateCount: row.candidateCount,
  refusals: refusalCounts(row),
  attempts: row.attempts.map(attemptView),
  decidedAt: row.decidedAt,
});

function refusalCounts(row: RoutingDecision): RoutingRefusalCountView[] {
  const counts = new Map<string, number>();
  for (const { refusal } of row.candidates) if (refusal !== null) counts.set(refusal, (counts.get(refusal) ?? 0) + 1);
  return [...counts].map(([reason, count]) => ({ reason: reason as RoutingRefusal, count }));
}

/** `isOwn` says which endpoints the viewer may hear about. */
export function routingCandidacyView(
  row: RoutingDecision,
  isOwn: (endpointId: string) => boolean,
): RoutingCandidacyView {
  const attempts = row.attempts.map((attempt, index) => ({
    ...attemptView(attempt, index),
    endpointId: attempt.endpointId,
  }));
  const candidates: RoutingCandidateView[] = row.candidates
    .filter(({ endpointId }) => isOwn(endpointId))
    .map(({ endpointId, refusal }) => ({
      endpointId,
      chosen: row.endpointId === endpointId,
      refusal: refusal as RoutingRefusal | null,
      attempts: attempts.filter((attempt) => attempt.endpointId === endpointId),
    }));
  return {
    id: encodeId("RoutingCandidacy", row.id),
    requestId: row.id,
    model: row.model,
    candidates,
    decidedAt: row.decidedAt,
  };
}
