/** Statements as they change, without loss. */
import { Arg, Resolver, Root, Subscription } from "type-graphql";
import type { Statement } from "../entities/statement";
import { StatementChangeMessage } from "../schema/views/statements.view";
import { organisationScope, requireKind } from "../src/accounts/viewer";
import type { Context } from "../src/api/context";
import { type DurableMessage, durable } from "../src/api/streams/stream";
import { statementView } from "../src/api/views/statements";
import { streamMessageView } from "../src/api/views/stream";

function statementStream(after: string | null | undefined, { viewer, services: { statements } }: Context) {
  const known = requireKind(viewer, "READ", "PROVIDER", "OPERATOR");
  return durable<"statement.changed", Statement>(after, {
    topics: ["statement.changed"],
    organisationId: organisationScope(known, "READ"),
    snapshot: () => statements.underWay(viewer),
    // A statement goes through several changes, and each is told, also of what the snapshot held already.
    toldBy: () => undefined,
    tells: () => undefined,
    async itemsOf(events) {
      const rows = await statements.shownByIds(
        viewer,
        events.map(({ payload }) => payload.statementId),
      );
      const byId = new Map(rows.map((row) => [row.id, row]));
      return events.map(({ payload }) => byId.get(payload.statementId));
    },
  });
}

@Resolver()
export class StatementsSubscription {
  @Subscription(() => StatementChangeMessage, {
    description:
      "Statements of a provider, all for an operator. Without `after`: those that are not final, a checkpoint, then every change. With `after`: every change behind that cursor, then live. Nothing is lost.",
    subscribe: ({ args, context }: { args: { after?: string | null }; context: Context }) =>
      statementStream(args.after, context),
  })
  statementChanges(
    @Root() message: DurableMessage<Statement>,
    @Arg("after", () => String, { nullable: true, description: "Cursor of the last message received." }) _after:
      | string
      | null,
  ): typeof StatementChangeMessage {
    return streamMessageView(message, (statement, cursor) => ({ cursor, node: statementView(statement) }));
  }
}
