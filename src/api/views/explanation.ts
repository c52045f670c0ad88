/** A routing decision as its explanation: all of it without names, or one provider's endpoints alone. */
import { createHash } from "node:crypto";
import type { RoutingDecision } from "../../../entities/routing-decision";
import type { RoutingRefusal } from "../../../schema/enums";
import { encodeId } from "../../../schema/node";
import type { ExplainedCandidateView, RouteExplanationView, RoutingLossView } from "../../../schema/views/routing.view";
import { formatNano, mulDivHalfEven } from "../../money/nano";
import { reasonOf, summaryOf } from "../../routing/explanation";
import type { Loss } from "../../routing/losses";
import { attemptView } from "./routing";

const HANDLE_CHARS = 12;
const SECONDS_PER_HOUR = 3_600n;

/** One startup's name for an endpoint; two cannot find out by it that they speak of the same. */
function handleOf(endpointId: string, readerId: string): string {
  return `ep_${createHash("sha256").update(`${readerId} ${endpointId}`).digest("base64url").slice(0, HANDLE_CHARS)}`;
}

export interface Reader {
  readonly organisationId: string;
  /** Null: all are told of, and none by name. */
  readonly ownEndpoints: ReadonlySet<string> | null;
  /** Of those that are told of. */
  readonly mayName: boolean;
}

export function routeExplanationView(row: RoutingDecision, reader: Reader): RouteExplanationView {
  const told = row.candidates.filter(({ endpointId }) => reader.ownEndpoints?.has(endpointId) ?? true);
  const candidates: ExplainedCandidateView[] = told.map((candidate) => ({
    handle: reader.mayName
      ? encodeId("Endpoint", candidate.endpointId)
      : handleOf(candidate.endpointId, reader.organisationId),
    chosen: row.endpointId === candidate.endpointId,
    refusal: candidate.refusal as RoutingRefusal | null,
    reason: reasonOf(candidate, row),
    attempts: row.attempts
      .map(attemptView)
      .filter((_, index) => row.attempts[index]!.endpointId === candidate.endpointId),
  }));
  return {
    requestId: row.id,
    model: row.model,
    outcome: row.outcome,
    summary: summaryOf(row, told),
    candidates,
    decidedAt: row.decidedAt,
  };
}

export const routingLossView = ({ reason, requests, gpuNanos }: Loss): RoutingLossView => ({
  reason,
  requests,
  gpuHours: formatNano(mulDivHalfEven(gpuNanos, 1n, SECONDS_PER_HOUR)),
});
