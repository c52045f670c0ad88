/** The audit trail: who did what to which object, and what changed. */
import { Flag, GlobalId, Instant, ListOf, Of, Text, View } from "../fields";
import { Node } from "../node";
import { connectionOf } from "../page";

@View(
  "AuditReference",
  "An object named without a look at it: it may be gone, or not be yours to see. `node` finds it.",
)
export class AuditReferenceView {
  @GlobalId("Its id.") id!: string;
  @Text("Its type, e.g. `Endpoint`.") type!: string;
}

@View("AuditActor", "Who acted, by the credential that was sent.")
export class AuditActorView {
  @Flag("Whether an operator acted for the organisation.") onBehalf!: boolean;
  @Of(() => AuditReferenceView, "The API key; null when a person acted.", { nullable: true })
  apiKey!: AuditReferenceView | null;
  @Of(() => AuditReferenceView, "The person; null when a key acted.", { nullable: true })
  member!: AuditReferenceView | null;
  @Of(() => AuditReferenceView, "The session; null when none was used.", { nullable: true })
  session!: AuditReferenceView | null;
}

@View("AuditChange", "The old and the new value of a field: text as it is, all else as JSON.")
export class AuditChangeView {
  @Text("The field.") field!: string;
  @Text("What it was; null when it was nothing.", { nullable: true }) from!: string | null;
  @Text("What it became; null when it became nothing.", { nullable: true }) to!: string | null;
}

@View("AuditEvent", "One act, written down in its own transaction. It is never changed.", { implements: [Node] })
export class AuditEventView extends Node {
  @Instant("When it was done.") at!: Date;
  @Text("Object and verb, e.g. `endpoint.move`.") action!: string;
  @Of(() => AuditReferenceView, "The object that it was done to.") subject!: AuditReferenceView;
  @Of(() => AuditActorView, "Who did it.") actor!: AuditActorView;
  @Text("The request that it was part of, as in `x-request-id`; null when none was.", { nullable: true })
  requestId!: string | null;
  @ListOf(() => AuditChangeView, "What it changed.") changes!: readonly AuditChangeView[];
  organisationId!: string;
}

export const AuditEventConnection = connectionOf<AuditEventView>("AuditEvent", () => AuditEventView);
