/** Why a request went where it went: every candidate with the reason against it, if any, every attempt with its end. */
import { Check, Column, Entity, Index } from "typeorm";
import type { RoutingOutcome } from "../schema/enums";
import { At, Id, Int, Json, Text } from "./columns";

export interface RoutingCandidate {
  endpointId: string;
  refusal: string | null;
}

export interface RoutingAttempt {
  endpointId: string;
  /** `OK`, or what failed: CONNECT, TIMEOUT, STATUS_5XX, THROTTLED, CUT, REFUSED … */
  result: string;
  durationMs: number;
}

/** Evidence, not money: written in the background in batches, so a crash may lose the last fraction of a second. */
@Entity("routing_decision")
@Check("routing_decision_outcome_check", "outcome IN ('SERVED','REROUTED','FAILED','ABORTED')")
@Index("routing_decision_startup", ["startupId", "id"])
// A GIN index, which the schema builder cannot describe: the migration makes it.
@Index("routing_decision_providers", { synchronize: false })
export class RoutingDecision {
  /** The request's id. */
  @Id() id!: string;
  @Column("uuid") startupId!: string;
  @Text() model!: string;
  @Text() outcome!: RoutingOutcome;
  @Column("uuid", { nullable: true }) endpointId!: string | null;
  /** The providers of all candidates: whose business this decision is. */
  @Column("uuid", { array: true }) providerIds!: string[];
  @Json() candidates!: RoutingCandidate[];
  @Json() attempts!: RoutingAttempt[];
  @Int() candidateCount!: number;
  @At() decidedAt!: Date;
}
