/** What can be asked of accounts. */
import { ApiKeyScope, ClientSegment, MemberRole, OrganisationKind } from "../enums";
import { Email, Flag, GlobalId, Input, Instant, ListOf, Of, Span, Text, Whole } from "../fields";

@Input("OrganisationCreateInput", "A new organisation.")
export class OrganisationCreateInput {
  @Of(() => OrganisationKind, "What it comes to the marketplace for.") kind!: OrganisationKind;
  @Text("Its name, 1 to 120 characters.") name!: string;
  @Of(() => ClientSegment, "Of a startup: how far it is; not told when left out.", { nullable: true })
  segment?: ClientSegment | null;
}

@Input("MemberAddInput", "A person who shall act for an organisation.")
export class MemberAddInput {
  @GlobalId("The organisation; your own when left out.", { nullable: true }) organisationId?: string | null;
  @Email("E-mail address.") email!: string;
  @Text("How the person is called, 1 to 120 characters.") displayName!: string;
  @Of(() => MemberRole, "What the person may do.") role!: MemberRole;
}

@Input(
  "ApiKeyLimitsInput",
  "What a key may send through the relay; what is left out is as the marketplace allows every key.",
)
export class ApiKeyLimitsInput {
  @Whole("Requests a minute, at least 1.", { nullable: true }) requestsPerMinute?: number | null;
  @Whole("Tokens of prompt and output a minute, at least 1.", { nullable: true }) tokensPerMinute?: number | null;
  @Whole("Requests at once, at least 1.", { nullable: true }) concurrentRequests?: number | null;
}

@Input("ApiKeyCreateInput", "A new API key.")
export class ApiKeyCreateInput {
  @GlobalId("The organisation; your own when left out.", { nullable: true }) organisationId?: string | null;
  @Text("What it is for, 1 to 120 characters.") name!: string;
  @ListOf(() => ApiKeyScope, "What it may be used for; at least one.") scopes!: ApiKeyScope[];
  @Instant("When it stops working; never by itself when left out.", { nullable: true }) expiresAt?: Date | null;
  @Flag("Whether it shall take only persisted documents of the manifest; it does not when left out.", {
    nullable: true,
  })
  persistedOnly?: boolean | null;
  @Of(
    () => ApiKeyLimitsInput,
    "What it may send through the relay; as the marketplace allows every key when left out.",
    {
      nullable: true,
    },
  )
  limits?: ApiKeyLimitsInput | null;
  @GlobalId("The project of a startup that it shall belong to; none when left out.", { nullable: true })
  projectId?: string | null;
}

@Input("ApiKeyChangeLimitsInput", "What a key may send through the relay from now on.")
export class ApiKeyChangeLimitsInput {
  @GlobalId("The key.") id!: string;
  @Of(() => ApiKeyLimitsInput, "All of its limits anew.") limits!: ApiKeyLimitsInput;
  @Whole("Only if its version is still this one.", { nullable: true }) expectedVersion?: number | null;
}

@Input("ApiKeyRevokeInput", "Which key to revoke.")
export class ApiKeyRevokeInput {
  @GlobalId("The key.") id!: string;
  @Whole("Only if its version is still this one.", { nullable: true }) expectedVersion?: number | null;
}

@Input("ApiKeyRotateInput", "Which key to replace.")
export class ApiKeyRotateInput {
  @GlobalId("The key.") id!: string;
  @Span("For how long the old key works beside the new one: up to P7D, PT24H when left out.", { nullable: true })
  overlap?: number | null;
  @Whole("Only if its version is still this one.", { nullable: true }) expectedVersion?: number | null;
}

@Input("MemberChangeRoleInput", "What a person may do from now on.")
export class MemberChangeRoleInput {
  @GlobalId("The person.") id!: string;
  @Of(() => MemberRole, "What the person may do.") role!: MemberRole;
  @Whole("Only if its version is still this one.", { nullable: true }) expectedVersion?: number | null;
}

@Input("MemberRemoveInput", "Who shall no longer act for the organisation.")
export class MemberRemoveInput {
  @GlobalId("The person.") id!: string;
  @Whole("Only if its version is still this one.", { nullable: true }) expectedVersion?: number | null;
}

@Input("SessionRevokeInput", "Which session to end.")
export class SessionRevokeInput {
  @GlobalId("The session.") id!: string;
  @Whole("Only if its version is still this one.", { nullable: true }) expectedVersion?: number | null;
}

@Input("OrganisationFilter", "Which organisations.")
export class OrganisationFilter {
  @Of(() => OrganisationKind, "Of this kind.", { nullable: true }) kind?: OrganisationKind | null;
}

@Input("OwnedFilter", "Whose.")
export class OwnedFilter {
  @GlobalId("Of this organisation.", { nullable: true }) organisationId?: string | null;
}
