/** One line of the audit trail: who did what to which object, and what changed. It has no foreign keys: it outlives what it tells of. */
import { Column, Entity, Index } from "typeorm";
import { At, Id, Json, Text } from "./columns";

@Entity("audit_event")
@Index("audit_event_organisation", ["organisationId", "id"])
@Index("audit_event_subject", ["subjectId", "id"])
export class AuditEvent {
  @Id() id!: string;
  @At() at!: Date;
  /** Whose object it was. */
  @Column("uuid") organisationId!: string;
  @Column("uuid") actorOrganisationId!: string;
  @Column("uuid", { nullable: true }) actorKeyId!: string | null;
  @Column("uuid", { nullable: true }) actorMemberId!: string | null;
  @Column("uuid", { nullable: true }) actorSessionId!: string | null;
  @Text({ nullable: true }) requestId!: string | null;
  @Text() action!: string;
  @Text() subjectType!: string;
  @Column("uuid") subjectId!: string;
  /** Old and new value of each field that changed; never a secret. */
  @Json() change!: Record<string, { from?: unknown; to?: unknown }>;
}
