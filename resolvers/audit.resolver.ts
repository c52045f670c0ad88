/** The audit trail. */
import { Args, Ctx, FieldResolver, Query, Resolver, Root } from "type-graphql";
import { Filter } from "../schema/fields";
import { AuditEventFilter } from "../schema/inputs/audit.input";
import { nodeTypes } from "../schema/node";
import { PageArgs } from "../schema/page";
import { OrganisationView } from "../schema/views/accounts.view";
import { AuditEventConnection, AuditEventView } from "../schema/views/audit.view";
import type { Context } from "../src/api/context";
import { optionalUuidOf, organisationTypes } from "../src/api/node-ids";
import { organisationView } from "../src/api/views/accounts";
import { auditEventView } from "../src/api/views/audit";
import { connection } from "../src/api/views/page";

@Resolver()
export class AuditResolver {
  @Query(() => AuditEventConnection, {
    description: "What was done to an organisation's objects, and by whom; to all for an operator.",
  })
  async auditEvents(
    @Args(() => PageArgs) page: PageArgs,
    @Filter(() => AuditEventFilter) filter: AuditEventFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const found = await services.auditTrail.page(viewer, page, {
      organisationId: optionalUuidOf(filter?.organisationId, organisationTypes, "organisationId"),
      action: filter?.action,
      subjectId: optionalUuidOf(filter?.subjectId, nodeTypes, "subjectId"),
      actorKeyId: optionalUuidOf(filter?.apiKeyId, "ApiKey", "apiKeyId"),
      actorMemberId: optionalUuidOf(filter?.memberId, "Member", "memberId"),
      from: filter?.from,
      to: filter?.to,
    });
    return connection(found, auditEventView);
  }
}

@Resolver(() => AuditEventView)
export class AuditEventEdges {
  @FieldResolver(() => OrganisationView, { description: "Whose object it was done to." })
  async organisation(@Root() { organisationId }: AuditEventView, @Ctx() { loaders }: Context) {
    return organisationView(await loaders.organisationById.load(organisationId));
  }
}
