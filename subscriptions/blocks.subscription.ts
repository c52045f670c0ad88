/** Blocks as they are placed, take effect and end, without loss. */
import { Arg, Resolver, Root, Subscription } from "type-graphql";
import type { Block } from "../entities/block";
import type { BlockChange } from "../schema/enums";
import { BlockChangeMessage } from "../schema/views/blocks.view";
import { organisationScope, requireKind } from "../src/accounts/viewer";
import type { Context } from "../src/api/context";
import { type DurableMessage, durable } from "../src/api/streams/stream";
import { blockView } from "../src/api/views/blocks";
import { streamMessageView } from "../src/api/views/stream";

interface Change {
  change: BlockChange;
  block: Block;
}

function blockStream(after: string | null | undefined, { viewer, services: { blocks } }: Context) {
  const known = requireKind(viewer, "READ", "CAPITAL_PARTNER", "OPERATOR");
  return durable<"block.changed", Change>(after, {
    topics: ["block.changed"],
    organisationId: organisationScope(known, "READ"),
    snapshot: async () => (await blocks.standing(viewer)).map((block) => ({ change: "STANDING", block })),
    // A block changes several times, so that no event tells only of what the snapshot has.
    toldBy: () => undefined,
    tells: () => undefined,
    async itemsOf(events) {
      const rows = await blocks.byIds(events.map(({ payload }) => payload.blockId));
      const byId = new Map(rows.map((block) => [block.id, block]));
      return events.map(({ payload }) => {
        const block = byId.get(payload.blockId);
        return block && { change: "CHANGED" as const, block };
      });
    },
  });
}

@Resolver()
export class BlocksSubscription {
  @Subscription(() => BlockChangeMessage, {
    description:
      "Blocks of a capital partner, all for an operator. Without `after`: those that stand, a checkpoint, then every change. With `after`: every change behind that cursor, then live. Nothing is lost.",
    subscribe: ({ args, context }: { args: { after?: string | null }; context: Context }) =>
      blockStream(args.after, context),
  })
  blockChanges(
    @Root() message: DurableMessage<Change>,
    @Arg("after", () => String, { nullable: true, description: "Cursor of the last message received." }) _after:
      | string
      | null,
  ): typeof BlockChangeMessage {
    return streamMessageView(message, ({ change, block }, cursor) => ({ cursor, change, node: blockView(block) }));
  }
}
