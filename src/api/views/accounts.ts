/** Rows of accounts as views. */
import type { ApiKey } from "../../../entities/api-key";
import type { Member } from "../../../entities/member";
import type { Organisation } from "../../../entities/organisation";
import type { Session } from "../../../entities/session";
import { encodeId, nodeTypeOf } from "../../../schema/node";
import type { ApiKeyView, MemberView, OrganisationView, SessionView } from "../../../schema/views/accounts.view";
import { limitsOf } from "../../accounts/key-limits";
import type { Viewer } from "../../accounts/viewer";

export const organisationView = (row: Organisation): OrganisationView => ({
  id: encodeId(nodeTypeOf[row.kind], row.id),
  organisationId: row.id,
  kind: row.kind,
  name: row.name,
  createdAt: row.createdAt,
  version: row.version,
  ...(row.kind === "STARTUP" ? { segment: row.segment } : {}),
});

export const memberView = (row: Member): MemberView => ({
  id: encodeId("Member", row.id),
  organisationId: row.organisationId,
  email: row.email,
  displayName: row.displayName,
  role: row.role,
  createdAt: row.createdAt,
  bound: row.oidcSubject !== null,
  version: row.version,
});

export const apiKeyView = (row: ApiKey): ApiKeyView => ({
  id: encodeId("ApiKey", row.id),
  organisationId: row.organisationId,
  name: row.name,
  prefix: row.prefix,
  scopes: row.scopes,
  createdAt: row.createdAt,
  expiresAt: row.expiresAt,
  revokedAt: row.revokedAt,
  lastUsedAt: row.lastUsedAt,
  persistedOnly: row.persistedOnly,
  limits: limitsOf(row),
  version: row.version,
  rotatedFromId: row.rotatedFromId,
  originId: row.originId ?? row.id,
  projectId: row.projectId,
});

export const sessionView = (row: Session, viewer: Viewer | null): SessionView => ({
  id: encodeId("Session", row.id),
  organisationId: row.organisationId,
  memberId: row.memberId,
  keyId: row.keyId,
  scopes: row.scopes,
  current: row.id === viewer?.sessionId,
  createdAt: row.createdAt,
  lastSeenAt: row.lastSeenAt,
  expiresAt: row.expiresAt,
  revokedAt: row.revokedAt,
  version: row.version,
});
