/** Rows of the audit trail as views. */
import type { AuditEvent } from "../../../entities/audit-event";
import { encodeId, type NodeType } from "../../../schema/node";
import type { AuditEventView, AuditReferenceView } from "../../../schema/views/audit.view";

export const auditEventView = (row: AuditEvent): AuditEventView => ({
  id: encodeId("AuditEvent", row.id),
  organisationId: row.organisationId,
  at: row.at,
  action: row.action,
  subject: reference(row.subjectType as NodeType, row.subjectId),
  actor: {
    onBehalf: row.actorOrganisationId !== row.organisationId,
    apiKey: row.actorKeyId === null ? null : reference("ApiKey", row.actorKeyId),
    member: row.actorMemberId === null ? null : reference("Member", row.actorMemberId),
    session: row.actorSessionId === null ? null : reference("Session", row.actorSessionId),
  },
  requestId: row.requestId,
  changes: Object.entries(row.change).map(([field, { from, to }]) => ({ field, from: textOf(from), to: textOf(to) })),
});

const reference = (type: NodeType, key: string): AuditReferenceView => ({ id: encodeId(type, key), type });

function textOf(value: unknown): string | null {
  if (value == null) return null;
  return typeof value === "string" ? value : JSON.stringify(value);
}
