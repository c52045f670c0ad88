/** Rows of accounts as views. */
import type { ApiKey } from "../../../entities/api-key";
import type { Member } from "../../../entities/member";
import type { Organisation } from "../../../entities/organisation";
import type { OrganisationKind } from "../../../schema/enums";
import { encodeId, type NodeType } from "../../../schema/node";
import type { ApiKeyView, MemberView, OrganisationView } from "../../../schema/views/accounts.view";

const nodeTypeOf: Readonly<Record<OrganisationKind, NodeType>> = {
  PROVIDER: "Provider",
  STARTUP: "Startup",
  CAPITAL_PARTNER: "CapitalPartner",
  OPERATOR: "Operator",
};

export const organisationView = (row: Organisation): OrganisationView => ({
  id: encodeId(nodeTypeOf[row.kind], row.id),
  organisationId: row.id,
  kind: row.kind,
  name: row.name,
  createdAt: row.createdAt,
  version: row.version,
});

export const memberView = (row: Member): MemberView => ({
  id: encodeId("Member", row.id),
  organisationId: row.organisationId,
  email: row.email,
  displayName: row.displayName,
  role: row.role,
  createdAt: row.createdAt,
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
});
