/** Viewer, organisations, members, keys. */
import { Args, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from "type-graphql";
import { Filter, InputArg } from "../schema/fields";
import {
  ApiKeyCreateInput,
  ApiKeyRevokeInput,
  MemberAddInput,
  OrganisationCreateInput,
  OrganisationFilter,
  OwnedFilter,
} from "../schema/inputs/accounts.input";
import { PageArgs } from "../schema/page";
import { ApiKeyCreate, ApiKeyRevoke, MemberAdd, OrganisationCreate } from "../schema/payloads/accounts.payload";
import {
  ApiKeyConnection,
  ApiKeyView,
  MemberConnection,
  MemberView,
  OrganisationConnection,
  OrganisationView,
  ProviderConnection,
  ProviderView,
  ViewerView,
} from "../schema/views/accounts.view";
import { EndpointView } from "../schema/views/catalog.view";
import { requireKind } from "../src/accounts/viewer";
import type { Context } from "../src/api/context";
import { optionalUuidOf, organisationTypes, pageOfOne, uuidOf } from "../src/api/node-ids";
import { answer } from "../src/api/user-errors";
import { apiKeyView, memberView, organisationView } from "../src/api/views/accounts";
import { endpointView } from "../src/api/views/catalog";
import { connection } from "../src/api/views/page";

/** The organisation that an input names, or the viewer's own. Without a viewer the door refuses before it looks. */
const named = (id: string | null | undefined, { viewer }: Context): string =>
  optionalUuidOf(id, organisationTypes, "organisationId") ?? viewer?.organisationId ?? "";

@Resolver()
export class AccountsResolver {
  @Query(() => ViewerView, { nullable: true, description: "Who is asking; null without an API key." })
  viewer(@Ctx() { viewer }: Context): ViewerView | null {
    return viewer && { organisationId: viewer.organisationId, keyId: viewer.keyId, scopes: [...viewer.scopes] };
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
    return connection(await services.accounts.members(viewer, page, { organisationId }), memberView);
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
        member: memberView(await context.services.accounts.addMember(context.viewer, { ...input, organisationId })),
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
      });
      return { apiKey: apiKeyView(apiKey), secret };
    });
  }

  @Mutation(() => ApiKeyRevoke.type, { description: "Revokes an API key; streams that were opened with it end." })
  apiKeyRevoke(@InputArg(() => ApiKeyRevokeInput) input: ApiKeyRevokeInput, @Ctx() { services, viewer }: Context) {
    return answer(ApiKeyRevoke, async () => ({
      apiKey: apiKeyView(await services.accounts.revokeApiKey(viewer, uuidOf(input.id, "ApiKey", "id"))),
    }));
  }
}

@Resolver(() => ViewerView)
export class ViewerEdges {
  @FieldResolver(() => OrganisationView, { description: "The organisation that the key belongs to." })
  async organisation(@Root() { organisationId }: ViewerView, @Ctx() { loaders }: Context) {
    return organisationView(await loaders.organisationById.load(organisationId));
  }

  @FieldResolver(() => ApiKeyView, {
    nullable: true,
    description: "The key itself; null when it lacks the scope READ.",
  })
  async apiKey(@Root() { keyId, scopes }: ViewerView, @Ctx() { services, viewer }: Context) {
    if (!scopes.includes("READ")) return null;
    const { rows } = await services.accounts.apiKeys(viewer, pageOfOne(keyId));
    return rows[0] ? apiKeyView(rows[0]) : null;
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
  @FieldResolver(() => OrganisationView, { description: "The organisation that the key belongs to." })
  async organisation(@Root() { organisationId }: ApiKeyView, @Ctx() { loaders }: Context) {
    return organisationView(await loaders.organisationById.load(organisationId));
  }
}
