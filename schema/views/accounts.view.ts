/** Who: organisations of the four kinds, their members and keys, and the viewer. */
import { InterfaceType } from "type-graphql";
import { ApiKeyScope, ClientSegment, MemberRole, OrganisationKind } from "../enums";
import { Email, Flag, Instant, ListOf, Of, Text, View, Whole } from "../fields";
import { Node, typeOfNode } from "../node";
import { connectionOf } from "../page";

@InterfaceType("Organisation", {
  description: "An organisation that takes part in the marketplace.",
  implements: Node,
  resolveType: typeOfNode,
})
export abstract class OrganisationView extends Node {
  @Of(() => OrganisationKind, "What it comes to the marketplace for.") kind!: OrganisationKind;
  @Text("Its name.") name!: string;
  @Instant("When it was created.") createdAt!: Date;
  @Whole("Counts its changes; pass it as expectedVersion to change only what you have read.") version!: number;
  /** Behind the edges that resolvers add; not part of the contract, here and in every view below. */
  organisationId!: string;
}

const organisation = { implements: [Node, OrganisationView] };

@View("Provider", "An organisation that serves GPU capacity.", organisation)
export class ProviderView extends OrganisationView {}

@View("Startup", "An organisation that spends compute credits.", organisation)
export class StartupView extends OrganisationView {
  @Of(() => ClientSegment, "How far it is, which is all that providers learn of it.") segment!: ClientSegment;
}

@View("CapitalPartner", "An organisation that funds compute credits.", organisation)
export class CapitalPartnerView extends OrganisationView {}

@View("Operator", "The organisation that runs the marketplace.", organisation)
export class OperatorView extends OrganisationView {}

@View("Member", "A person who acts for an organisation.", { implements: [Node] })
export class MemberView extends Node {
  @Email("E-mail address, unique within the organisation.") email!: string;
  @Text("How the person is called.") displayName!: string;
  @Of(() => MemberRole, "What the person may do.") role!: MemberRole;
  @Instant("When the person was added.") createdAt!: Date;
  @Flag("Whether the person has logged in: the identity provider's account is bound to it.") bound!: boolean;
  @Whole("Counts its changes; pass it as expectedVersion to change only what you have read.") version!: number;
  organisationId!: string;
}

@View("ApiKeyLimits", "What a key may send through the relay; the limits of its organisation hold beside them.")
export class ApiKeyLimitsView {
  @Whole("Requests a minute; null: as many as the marketplace allows every key.", { nullable: true })
  requestsPerMinute!: number | null;
  @Whole("Tokens of prompt and output a minute; null: as many as the marketplace allows every key.", { nullable: true })
  tokensPerMinute!: number | null;
  @Whole("Requests at once; null: as many as the marketplace allows every key.", { nullable: true })
  concurrentRequests!: number | null;
}

@View("ApiKey", "An API key. The secret itself is shown once, when the key is made.", { implements: [Node] })
export class ApiKeyView extends Node {
  @Text("What the key is for, in its owner's words.") name!: string;
  @Text("The first characters of the secret, to recognise it by.") prefix!: string;
  @ListOf(() => ApiKeyScope, "What the key may be used for.") scopes!: readonly ApiKeyScope[];
  @Instant("When the key was made.") createdAt!: Date;
  @Instant("When the key stops working; null when it does not by itself.", { nullable: true }) expiresAt!: Date | null;
  @Instant("When the key was revoked; null while it was not.", { nullable: true }) revokedAt!: Date | null;
  @Instant("When the key was last used, to the minute; null when never.", { nullable: true }) lastUsedAt!: Date | null;
  @Flag("Whether it takes only persisted documents of the manifest.") persistedOnly!: boolean;
  @Of(() => ApiKeyLimitsView, "What it may send through the relay.") limits!: ApiKeyLimitsView;
  @Whole("Counts its changes; pass it as expectedVersion to change only what you have read.") version!: number;
  rotatedFromId!: string | null;
  originId!: string;
  projectId!: string | null;
  organisationId!: string;
}

@View("Session", "A browser that is logged in, with an API key or by a person.", { implements: [Node] })
export class SessionView extends Node {
  @ListOf(() => ApiKeyScope, "The most that it may; the role of its person may narrow it.")
  scopes!: readonly ApiKeyScope[];
  @Flag("Whether it is the one that asks.") current!: boolean;
  @Instant("When it was opened.") createdAt!: Date;
  @Instant("When it was last used, to the minute.") lastSeenAt!: Date;
  @Instant("When it ends at the latest; twelve hours without a request end it before.") expiresAt!: Date;
  @Instant("When it was ended; null while it was not.", { nullable: true }) revokedAt!: Date | null;
  @Whole("Counts its changes; pass it as expectedVersion to change only what you have read.") version!: number;
  organisationId!: string;
  memberId!: string | null;
  keyId!: string | null;
}

@View("Viewer", "Who is asking, by the API key, token or session that was sent.")
export class ViewerView {
  @ListOf(() => ApiKeyScope, "What the viewer may do.") scopes!: readonly ApiKeyScope[];
  @Instant("When the credential ends; null when it does not by itself.", { nullable: true }) expiresAt!: Date | null;
  @Flag("Whether only persisted documents of the manifest are taken.") persistedOnly!: boolean;
  organisationId!: string;
  keyId!: string | null;
  memberId!: string | null;
  sessionId!: string | null;
}

export const OrganisationConnection = connectionOf<OrganisationView>("Organisation", () => OrganisationView);
export const ProviderConnection = connectionOf<OrganisationView>("Provider", () => ProviderView);
export const MemberConnection = connectionOf<MemberView>("Member", () => MemberView);
export const ApiKeyConnection = connectionOf<ApiKeyView>("ApiKey", () => ApiKeyView);
export const SessionConnection = connectionOf<SessionView>("Session", () => SessionView);
