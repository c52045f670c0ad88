/** Breaches as they open and close, without loss. */
import { Arg, Resolver, Root, Subscription } from "type-graphql";
import type { SlaBreach } from "../entities/sla-breach";
import type { SlaBreachChange } from "../schema/enums";
import { SlaBreachMessage } from "../schema/views/sla.view";
import { organisationScope, requireKind } from "../src/accounts/viewer";
import type { Context } from "../src/api/context";
import { type DurableMessage, durable } from "../src/api/streams/stream";
import { slaBreachView } from "../src/api/views/sla";
import { streamMessageView } from "../src/api/views/stream";
import { cursorOf, PAGE_SIZE_MAX } from "../src/platform/page";

interface Change {
  change: SlaBreachChange;
  breach: SlaBreach;
}

const changeOf = { "sla.breach.opened": "OPENED", "sla.breach.closed": "CLOSED" } as const;

function breachStream(after: string | null | undefined, { viewer, services }: Context) {
  const known = requireKind(viewer, "READ", "PROVIDER", "OPERATOR");
  return durable<keyof typeof changeOf, Change>(after, {
    topics: ["sla.breach.opened", "sla.breach.closed"],
    organisationId: organisationScope(known, "READ"),
    snapshot: async () => (await openBreaches({ viewer, services })).map((breach) => ({ change: "STANDING", breach })),
    toldBy: ({ breach }) => breach.id,
    tells: ({ topic, payload }) => (topic === "sla.breach.opened" ? payload.breachId : undefined),
    async itemsOf(events) {
      const breaches = await services.sla.breachesByIds(events.map(({ payload }) => payload.breachId));
      const byId = new Map(breaches.map((breach) => [breach.id, breach]));
      return events.map(({ topic, payload }) => {
        const breach = byId.get(payload.breachId);
        return breach && { change: changeOf[topic], breach };
      });
    },
  });
}

/** Oldest first, as the stream goes on. */
async function openBreaches({ viewer, services }: Pick<Context, "viewer" | "services">): Promise<SlaBreach[]> {
  const open: SlaBreach[] = [];
  let before: { last: number; before?: string } | null = { last: PAGE_SIZE_MAX };
  while (before !== null) {
    const page: Awaited<ReturnType<typeof services.sla.breaches>> = await services.sla.breaches(viewer, before, {
      open: true,
    });
    open.push(...page.rows.toReversed());
    const newest = page.rows[0];
    before = page.hasPreviousPage && newest ? { last: PAGE_SIZE_MAX, before: cursorOf(newest.id) } : null;
  }
  return open;
}

@Resolver()
export class SlaSubscription {
  @Subscription(() => SlaBreachMessage, {
    description:
      "Breaches of a provider's endpoints, all for an operator. Without `after`: those open now, a checkpoint, then every change. With `after`: every change behind that cursor, then live. Nothing is lost or told twice.",
    subscribe: ({ args, context }: { args: { after?: string | null }; context: Context }) =>
      breachStream(args.after, context),
  })
  slaBreaches(
    @Root() message: DurableMessage<Change>,
    @Arg("after", () => String, { nullable: true, description: "Cursor of the last message received." }) _after:
      | string
      | null,
  ): typeof SlaBreachMessage {
    return streamMessageView(message, ({ change, breach }, cursor) => ({
      cursor,
      change,
      node: slaBreachView(breach),
    }));
  }
}
