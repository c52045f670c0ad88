/** Viewer, organisations, members, keys. */
import { Args, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from "type-graphql";
import { Filter, InputArg } from "../schema/fields";
import {
  ApiKeyChangeLimitsInput,
  ApiKeyCreateInput,
  ApiKeyRevokeInput,
  ApiKeyRotateInput,
  MemberAddInput,
  MemberChangeRoleInput,
  MemberRemoveInput,
  OrganisationCreateInput,
  OrganisationFilter,
  OwnedFilter,
  SessionRevokeInput,
} from "../schema/inputs/accounts.input";
import { PageArgs } from "../schema/page";
import {
  ApiKeyChangeLimits,
  ApiKeyCreate,
  ApiKeyRevoke,
  ApiKeyRotate,
  MemberAdd,
  MemberChangeRole,
  MemberRemove,
  OrganisationCreate,
  SessionRevoke,
} from "../schema/payloads/accounts.payload";
import {
  ApiKeyConnection,
  ApiKeyView,
  MemberConnection,
  MemberView,
  OrganisationConnection,
  OrganisationView,
  ProviderConnection,
  ProviderView,
  SessionConnection,
  SessionView,
  ViewerView,
} from "../schema/views/accounts.view";
import { EndpointView } from "../schema/views/catalog.view";
import { requireKind } from "../src/accounts/viewer";
import type { Context } from "../src/api/context";
import { optionalUuidOf, organisationTypes, pageOfOne, uuidOf } from "../src/api/node-ids";
import { answer } from "../src/api/user-errors";
import { apiKeyView, memberView, organisationView, sessionView } from "../src/api/views/accounts";
import { endpointView } from "../src/api/views/catalog";
import { connection } from "../src/api/views/page";

/** The organisation that an input names, or the viewer's own. Without a viewer the door refuses before it looks. */
const named = (id: string | null | undefined, { viewer }: Context): string =>
  optionalUuidOf(id, organisationTypes, "organisationId") ?? viewer?.organisationId ?? "";

@Resolver()
export class AccountsResolver {
  @Query(() => ViewerView, { nullable: true, description: "Who is asking; null without a credential." })
  viewer(@Ctx() { viewer }: Context): ViewerView | null {
    return viewer && { ...viewer, scopes: [...viewer.scopes] };
  }

  @Query(() => OrganisationConnection, { description: "Organisations: all for an operator, itself for everyone else." })
  async organisations(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => OrganisationFilter) filter: OrganisationFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    return connection(await services.accounts.organisations(viewer, page, { kind: filter?.kind }), organisationView);
  }

  @Query(() => ProviderConnection, { description: "Providers: all for an operator, itself for a provider." })
  async providers(@Args(() => PageArgs) page: PageArgs, @Ctx() { services, viewer }: Context) {
    requireKind(viewer, "READ", "PROVIDER", "OPERATOR");
    return connection(await services.accounts.organisations(viewer, page, { kind: "PROVIDER" }), organisationView);
  }

  @Query(() => MemberConnection, { description: "People: an organisation's own; all for an operator." })
  async members(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => OwnedFilter) filter: OwnedFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const organisationId = optionalUuidOf(filter?.organisationId, organisationTypes, "organisationId");
    return connection(await services.accounts.members.page(viewer, page, { organisationId }), memberView);
  }

  @Query(() => ApiKeyConnection, { description: "API keys: an organisation's own; all for an operator." })
  async apiKeys(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => OwnedFilter) filter: OwnedFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const organisationId = optionalUuidOf(filter?.organisationId, organisationTypes, "organisationId");
    return connection(await services.accounts.apiKeys(viewer, page, { organisationId }), apiKeyView);
  }

  @Query(() => SessionConnection, {
    description: "Logged-in browsers: one's own; with the scope ADMIN the organisation's; all for an operator.",
  })
  async sessions(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => OwnedFilter) filter: OwnedFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const organisationId = optionalUuidOf(filter?.organisationId, organisationTypes, "organisationId");
    const found = await services.accounts.sessions.page(viewer, page, { organisationId });
    return connection(found, (row) => sessionView(row, viewer));
  }

  @Mutation(() => OrganisationCreate.type, { description: "Creates an organisation. For operators." })
  organisationCreate(
    @InputArg(() => OrganisationCreateInput) input: OrganisationCreateInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return answer(OrganisationCreate, async () => ({
      organisation: organisationView(await services.accounts.createOrganisation(viewer, input)),
    }));
  }

  @Mutation(() => MemberAdd.type, { description: "Adds a person to an organisation." })
  memberAdd(@InputArg(() => MemberAddInput) input: MemberAddInput, @Ctx() context: Context) {
    return answer(MemberAdd, async () => {
      const organisationId = named(input.organisationId, context);
      return {
        member: memberView(await context.services.accounts.members.add(context.viewer, { ...input, organisationId })),
      };
    });
  }

  @Mutation(() => ApiKeyCreate.type, { description: "Makes an API key and shows its secret, this once." })
  apiKeyCreate(@InputArg(() => ApiKeyCreateInput) input: ApiKeyCreateInput, @Ctx() context: Context) {
    return answer(ApiKeyCreate, async () => {
      const organisationId = named(input.organisationId, context);
      const { apiKey, secret } = await context.services.accounts.createApiKey(context.viewer, {
        ...input,
        organisationId,
        projectId: optionalUuidOf(input.projectId, "Project", "projectId"),
      });
      return { apiKey: apiKeyView(apiKey), secret };
    });
  }

  @Mutation(() => ApiKeyRevoke.type, { description: "Revokes an API key; streams that were opened with it end." })
  apiKeyRevoke(@InputArg(() => ApiKeyRevokeInput) input: ApiKeyRevokeInput, @Ctx() { services, viewer }: Context) {
    return answer(ApiKeyRevoke, async () => ({
      apiKey: apiKeyView(
        await services.accounts.revokeApiKey(viewer, uuidOf(input.id, "ApiKey", "id"), input.expectedVersion),
      ),
    }));
  }

  @Mutation(() => ApiKeyRotate.type, { description: "Replaces an API key; the old one works on for the overlap." })
  apiKeyRotate(@InputArg(() => ApiKeyRotateInput) input: ApiKeyRotateInput, @Ctx() { services, viewer }: Context) {
    return answer(ApiKeyRotate, async () => {
      const made = await services.accounts.rotateApiKey(viewer, {
        id: uuidOf(input.id, "ApiKey", "id"),
        overlapMs: input.overlap,
        expectedVersion: input.expectedVersion,
      });
      return { apiKey: apiKeyView(made.apiKey), secret: made.secret, rotated: apiKeyView(made.rotated) };
    });
  }

  @Mutation(() => ApiKeyChangeLimits.type, {
    description: "Changes what an API key may send through the relay; in effect within five seconds.",
  })
  apiKeyChangeLimits(
    @InputArg(() => ApiKeyChangeLimitsInput) input: ApiKeyChangeLimitsInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return answer(ApiKeyChangeLimits, async () => {
      const id = uuidOf(input.id, "ApiKey", "id");
      return { apiKey: apiKeyView(await services.accounts.changeKeyLimits(viewer, { ...input, id })) };
    });
  }

  @Mutation(() => MemberChangeRole.type, { description: "Changes what a person may do." })
  memberChangeRole(
    @InputArg(() => MemberChangeRoleInput) input: MemberChangeRoleInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return answer(MemberChangeRole, async () => {
      const id = uuidOf(input.id, "Member", "id");
      const { members } = services.accounts;
      return { member: memberView(await members.changeRole(viewer, id, input.role, input.expectedVersion)) };
    });
  }

  @Mutation(() => MemberRemove.type, { description: "Removes a person from an organisation; their sessions end." })
  memberRemove(@InputArg(() => MemberRemoveInput) input: MemberRemoveInput, @Ctx() { services, viewer }: Context) {
    return answer(MemberRemove, async () => {
      const id = uuidOf(input.id, "Member", "id");
      return { member: memberView(await services.accounts.members.remove(viewer, id, input.expectedVersion)) };
    });
  }

  @Mutation(() => SessionRevoke.type, { description: "Ends a session; streams that it opened end." })
  sessionRevoke(@InputArg(() => SessionRevokeInput) input: SessionRevokeInput, @Ctx() { services, viewer }: Context) {
    return answer(SessionRevoke, async () => {
      const id = uuidOf(input.id, "Session", "id");
      const session = await services.accounts.sessions.revoke(viewer, id, input.expectedVersion);
      return { session: sessionView(session, viewer) };
    });
  }
}

@Resolver(() => ViewerView)
export class ViewerEdges {
  @FieldResolver(() => OrganisationView, { description: "The organisation that the viewer acts for." })
  async organisation(@Root() { organisationId }: ViewerView, @Ctx() { loaders }: Context) {
    return organisationView(await loaders.organisationById.load(organisationId));
  }

  @FieldResolver(() => ApiKeyView, {
    nullable: true,
    description: "The API key; null for a person, and when it lacks the scope READ.",
  })
  async apiKey(@Root() { keyId, scopes }: ViewerView, @Ctx() { services, viewer }: Context) {
    if (keyId === null || !scopes.includes("READ")) return null;
    const { rows } = await services.accounts.apiKeys(viewer, pageOfOne(keyId));
    return rows[0] ? apiKeyView(rows[0]) : null;
  }

  @FieldResolver(() => MemberView, { nullable: true, description: "The person who is logged in; null for a key." })
  async member(@Root() { memberId }: ViewerView, @Ctx() { services, viewer }: Context) {
    if (memberId === null) return null;
    const { rows } = await services.accounts.members.page(viewer, pageOfOne(memberId));
    return rows[0] ? memberView(rows[0]) : null;
  }

  @FieldResolver(() => SessionView, { nullable: true, description: "The session whose cookie was sent; null without." })
  async session(@Root() { sessionId }: ViewerView, @Ctx() { services, viewer }: Context) {
    if (sessionId === null) return null;
    const { rows } = await services.accounts.sessions.page(viewer, pageOfOne(sessionId));
    return rows[0] ? sessionView(rows[0], viewer) : null;
  }
}

@Resolver(() => ProviderView)
export class ProviderEdges {
  @FieldResolver(() => [EndpointView], { description: "Its endpoints." })
  async endpoints(@Root() { organisationId }: ProviderView, @Ctx() { loaders }: Context) {
    return (await loaders.endpointsByProviderId.load(organisationId)).map(endpointView);
  }
}

@Resolver(() => MemberView)
export class MemberEdges {
  @FieldResolver(() => OrganisationView, { description: "The organisation that the person acts for." })
  async organisation(@Root() { organisationId }: MemberView, @Ctx() { loaders }: Context) {
    return organisationView(await loaders.organisationById.load(organisationId));
  }
}

@Resolver(() => ApiKeyView)
export class ApiKeyEdges {
  @FieldResolver(() => ApiKeyView, { nullable: true, description: "The key that this one replaced; null if none." })
  async rotatedFrom(@Root() { rotatedFromId }: ApiKeyView, @Ctx() { loaders }: Context) {
    return rotatedFromId && apiKeyView(await loaders.apiKeyById.load(rotatedFromId));
  }

  @FieldResolver(() => OrganisationView, { description: "The organisation that the key belongs to." })
  async organisation(@Root() { organisationId }: ApiKeyView, @Ctx() { loaders }: Context) {
    return organisationView(await loaders.organisationById.load(organisationId));
  }
}

@Resolver(() => SessionView)
export class SessionEdges {
  @FieldResolver(() => MemberView, { nullable: true, description: "The person who logged in; null when a key did." })
  async member(@Root() { memberId }: SessionView, @Ctx() { loaders }: Context) {
    return memberId && memberView(await loaders.memberById.load(memberId));
  }

  @FieldResolver(() => ApiKeyView, {
    nullable: true,
    description: "The key that it was opened with; null for a person's.",
  })
  async apiKey(@Root() { keyId }: SessionView, @Ctx() { loaders }: Context) {
    return keyId && apiKeyView(await loaders.apiKeyById.load(keyId));
  }

  @FieldResolver(() => OrganisationView, { description: "The organisation that it acts for." })
  async organisation(@Root() { organisationId }: SessionView, @Ctx() { loaders }: Context) {
    return organisationView(await loaders.organisationById.load(organisationId));
  }
}
