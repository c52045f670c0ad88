/** What the mutations of accounts answer. */
import { GraphQLString } from "graphql";
import { payload } from "../user-error";
import { ApiKeyView, MemberView, OrganisationView, SessionView } from "../views/accounts.view";

export const OrganisationCreate = payload<{ organisation?: OrganisationView }>(
  "OrganisationCreate",
  { organisation: [() => OrganisationView, "The new organisation."] },
  ["BAD_USER_INPUT"],
);

export const MemberAdd = payload<{ member?: MemberView }>(
  "MemberAdd",
  { member: [() => MemberView, "The new member."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "ALREADY_EXISTS"],
);

export const ApiKeyCreate = payload<{ apiKey?: ApiKeyView; secret?: string }>(
  "ApiKeyCreate",
  {
    apiKey: [() => ApiKeyView, "The new key."],
    secret: [
      () => GraphQLString,
      "The secret to send as `Authorization: Bearer …`. It is shown this once and stored nowhere.",
    ],
  },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT"],
);

export const ApiKeyRevoke = payload<{ apiKey?: ApiKeyView }>(
  "ApiKeyRevoke",
  { apiKey: [() => ApiKeyView, "The revoked key."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "VERSION_CONFLICT"],
);

export const ApiKeyRotate = payload<{ apiKey?: ApiKeyView; secret?: string; rotated?: ApiKeyView }>(
  "ApiKeyRotate",
  {
    apiKey: [() => ApiKeyView, "The new key."],
    secret: [() => GraphQLString, "The new secret. It is shown this once and stored nowhere."],
    rotated: [() => ApiKeyView, "The old key, with its end."],
  },
  ["BAD_USER_INPUT", "NOT_FOUND", "VERSION_CONFLICT", "STATE_CONFLICT"],
);

export const ApiKeyChangeLimits = payload<{ apiKey?: ApiKeyView }>(
  "ApiKeyChangeLimits",
  { apiKey: [() => ApiKeyView, "The key with its new limits."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "VERSION_CONFLICT", "STATE_CONFLICT"],
);

export const MemberChangeRole = payload<{ member?: MemberView }>(
  "MemberChangeRole",
  { member: [() => MemberView, "The member in the new role."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "VERSION_CONFLICT", "STATE_CONFLICT"],
);

export const MemberRemove = payload<{ member?: MemberView }>(
  "MemberRemove",
  { member: [() => MemberView, "The member who was removed."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "VERSION_CONFLICT", "STATE_CONFLICT"],
);

export const SessionRevoke = payload<{ session?: SessionView }>(
  "SessionRevoke",
  { session: [() => SessionView, "The ended session."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "VERSION_CONFLICT"],
);
