/** The Node interface, and the opaque typed ids by which every business object is known outside. */
import { Field, ID, InterfaceType } from "type-graphql";
import type { OrganisationKind } from "./enums";

/** What may stand before the colon of an id. */
export const nodeTypes = [
  "Provider",
  "Startup",
  "CapitalPartner",
  "Operator",
  "Member",
  "ApiKey",
  "Session",
  "AuditEvent",
  "Endpoint",
  "Offering",
  "CapacityWindow",
  "Fixing",
  "Facility",
  "Drawdown",
  "CreditLot",
  "Usage",
  "Delivery",
  "RoutingDecision",
  "RoutingCandidacy",
  "Accrual",
  "SlaBreach",
  "RateCard",
  "Statement",
  "StatementLine",
  "StatementDispute",
  "CreditNote",
  "Block",
  "Claim",
  "FlaggedUsage",
  "Payout",
  "PayoutAccount",
  "CoverageAlert",
  "LedgerAccount",
  "Project",
  "Budget",
  "BudgetAlert",
  "WorkloadJob",
  "HostedJob",
] as const;
export type NodeType = (typeof nodeTypes)[number];

/** Each kind of organisation is a type of its own. */
export const nodeTypeOf: Readonly<Record<OrganisationKind, NodeType>> = {
  PROVIDER: "Provider",
  STARTUP: "Startup",
  CAPITAL_PARTNER: "CapitalPartner",
  OPERATOR: "Operator",
};

const known: ReadonlySet<string> = new Set(nodeTypes);

/** `key` is the object's UUID, alone or before what else it is known by. */
export const encodeId = (type: NodeType, key: string): string => Buffer.from(`${type}:${key}`).toString("base64url");

/** Null for text that no encodeId made: one id has one spelling. */
export function decodeId(id: string): { type: NodeType; key: string } | null {
  const [type = "", key = "", ...rest] = Buffer.from(id, "base64url").toString().split(":");
  if (rest.length > 0 || key === "" || !known.has(type) || encodeId(type as NodeType, key) !== id) return null;
  return { type: type as NodeType, key };
}

/** The GraphQL type of any object with one of our ids: `Organisation` and `Node` find their implementation by it. */
export const typeOfNode = (value: { id: string }): string | undefined => decodeId(value.id)?.type;

@InterfaceType("Node", { description: "An object with an id of its own.", resolveType: typeOfNode })
export abstract class Node {
  @Field(() => ID, { description: "Identifies the object everywhere; opaque." })
  id!: string;
}
