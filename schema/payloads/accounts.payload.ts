/** What the mutations of accounts answer. */
import { GraphQLString } from "graphql";
import { payload } from "../user-error";
import { ApiKeyView, MemberView, OrganisationView } from "../views/accounts.view";

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
  ["BAD_USER_INPUT", "NOT_FOUND"],
);

export const ApiKeyRevoke = payload<{ apiKey?: ApiKeyView }>(
  "ApiKeyRevoke",
  { apiKey: [() => ApiKeyView, "The revoked key."] },
  ["BAD_USER_INPUT", "NOT_FOUND"],
);
