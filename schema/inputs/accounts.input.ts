/** What can be asked of accounts. */
import { ApiKeyScope, MemberRole, OrganisationKind } from "../enums";
import { GlobalId, Input, Instant, ListOf, Of, Text } from "../fields";

@Input("OrganisationCreateInput", "A new organisation.")
export class OrganisationCreateInput {
  @Of(() => OrganisationKind, "What it comes to the marketplace for.") kind!: OrganisationKind;
  @Text("Its name, 1 to 120 characters.") name!: string;
}

@Input("MemberAddInput", "A person who shall act for an organisation.")
export class MemberAddInput {
  @GlobalId("The organisation; your own when left out.", { nullable: true }) organisationId?: string | null;
  @Text("E-mail address.") email!: string;
  @Text("How the person is called, 1 to 120 characters.") displayName!: string;
  @Of(() => MemberRole, "What the person may do.") role!: MemberRole;
}

@Input("ApiKeyCreateInput", "A new API key.")
export class ApiKeyCreateInput {
  @GlobalId("The organisation; your own when left out.", { nullable: true }) organisationId?: string | null;
  @Text("What it is for, 1 to 120 characters.") name!: string;
  @ListOf(() => ApiKeyScope, "What it may be used for; at least one.") scopes!: ApiKeyScope[];
  @Instant("When it stops working; never by itself when left out.", { nullable: true }) expiresAt?: Date | null;
}

@Input("ApiKeyRevokeInput", "Which key to revoke.")
export class ApiKeyRevokeInput {
  @GlobalId("The key.") id!: string;
}

@Input("OrganisationFilter", "Which organisations.")
export class OrganisationFilter {
  @Of(() => OrganisationKind, "Of this kind.", { nullable: true }) kind?: OrganisationKind | null;
}

@Input("OwnedFilter", "Whose.")
export class OwnedFilter {
  @GlobalId("Of this organisation.", { nullable: true }) organisationId?: string | null;
}
