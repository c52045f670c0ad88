/** Capacity windows as they are announced and cancelled, without loss. */
import { Arg, Resolver, Root, Subscription } from "type-graphql";
import type { CapacityWindow } from "../entities/capacity-window";
import type { CapacityChange } from "../schema/enums";
import { CapacityChangeMessage } from "../schema/views/capacity.view";
import { organisationScope, requireKind } from "../src/accounts/viewer";
import type { Context } from "../src/api/context";
import { type DurableMessage, durable } from "../src/api/streams/stream";
import { capacityWindowView } from "../src/api/views/capacity";
import { streamMessageView } from "../src/api/views/stream";

interface Change {
  change: CapacityChange;
  window: CapacityWindow;
}

const changeOf = { "capacity.window.announced": "ANNOUNCED", "capacity.window.cancelled": "CANCELLED" } as const;

function capacityStream(after: string | null | undefined, { viewer, services: { capacity } }: Context) {
  const known = requireKind(viewer, "READ", "PROVIDER", "OPERATOR");
  return durable<keyof typeof changeOf, Change>(after, {
    topics: ["capacity.window.announced", "capacity.window.cancelled"],
    organisationId: organisationScope(known, "READ"),
    snapshot: async () => (await capacity.standingWindows(viewer)).map((window) => ({ change: "STANDING", window })),
    toldBy: ({ window }) => window.id,
    tells: ({ topic, payload }) => (topic === "capacity.window.announced" ? payload.windowId : undefined),
    async itemsOf(events) {
      const windows = await capacity.windowsByIds(events.map(({ payload }) => payload.windowId));
      const byId = new Map(windows.map((window) => [window.id, window]));
      return events.map(({ topic, payload }) => {
        const window = byId.get(payload.windowId);
        return window && { change: changeOf[topic], window };
      });
    },
  });
}

@Resolver()
export class CapacitySubscription {
  @Subscription(() => CapacityChangeMessage, {
    description:
      "Capacity windows of a provider, all for an operator. Without `after`: those going on or to come, a checkpoint, then every change. With `after`: every change behind that cursor, then live. Nothing is lost or told twice.",
    subscribe: ({ args, context }: { args: { after?: string | null }; context: Context }) =>
      capacityStream(args.after, context),
  })
  capacityChanges(
    @Root() message: DurableMessage<Change>,
    @Arg("after", () => String, { nullable: true, description: "Cursor of the last message received." }) _after:
      | string
      | null,
  ): typeof CapacityChangeMessage {
    return streamMessageView(message, ({ change, window }, cursor) => ({
      cursor,
      change,
      node: capacityWindowView(window),
    }));
  }
}
