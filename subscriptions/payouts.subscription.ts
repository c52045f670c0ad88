/** Payouts and the bank accounts that they go to, as they change, without loss. */
import { Arg, Resolver, Root, Subscription } from "type-graphql";
import type { Payout } from "../entities/payout";
import type { PayoutAccountChange, PayoutChange } from "../schema/enums";
import { PayoutAccountChangeMessage, PayoutChangeMessage } from "../schema/views/payouts.view";
import { organisationScope, requireKind } from "../src/accounts/viewer";
import type { Context } from "../src/api/context";
import { type DurableMessage, durable } from "../src/api/streams/stream";
import { payoutAccountView, payoutView } from "../src/api/views/payouts";
import { streamMessageView } from "../src/api/views/stream";
import type { ShownAccount } from "../src/payouts/payout-accounts";

interface Change {
  change: PayoutChange;
  payout: Payout;
}

interface AccountChange {
  change: PayoutAccountChange;
  account: ShownAccount;
}

/** Every change is told, also of what the snapshot held already: a payout goes through several, and each has its moment. */
const untold = { toldBy: () => undefined, tells: () => undefined };

function payoutStream(after: string | null | undefined, { viewer, services: { payouts } }: Context) {
  const known = requireKind(viewer, "READ", "PROVIDER", "OPERATOR");
  return durable<"payout.changed", Change>(after, {
    ...untold,
    topics: ["payout.changed"],
    organisationId: organisationScope(known, "READ"),
    snapshot: async () => (await payouts.standing(viewer)).map((payout) => ({ change: "STANDING", payout })),
    async itemsOf(events) {
      const rows = await payouts.byIds(events.map(({ payload }) => payload.payoutId));
      const byId = new Map(rows.map((row) => [row.id, row]));
      return events.map(({ payload: { payoutId, change } }) => {
        const payout = byId.get(payoutId);
        return payout && { change, payout };
      });
    },
  });
}

function accountStream(after: string | null | undefined, { viewer, services: { payouts } }: Context) {
  const known = requireKind(viewer, "READ", "PROVIDER", "OPERATOR");
  return durable<"payout.account.changed", AccountChange>(after, {
    ...untold,
    topics: ["payout.account.changed"],
    organisationId: organisationScope(known, "READ"),
    snapshot: async () => (await payouts.accounts.standing(viewer)).map((account) => ({ change: "STANDING", account })),
    async itemsOf(events) {
      const rows = await payouts.accounts.byIds(events.map(({ payload }) => payload.accountId));
      const byId = new Map(rows.map((row) => [row.id, row]));
      return events.map(({ payload: { accountId, change } }) => {
        const account = byId.get(accountId);
        return account && { change, account };
      });
    },
  });
}

const cursorArg = { nullable: true, description: "Cursor of the last message received." } as const;

@Resolver()
export class PayoutsSubscription {
  @Subscription(() => PayoutChangeMessage, {
    description:
      "Payouts of a provider, all for an operator. Without `after`: those that are not settled, a checkpoint, then every change. With `after`: every change behind that cursor, then live. Nothing is lost.",
    subscribe: ({ args, context }: { args: { after?: string | null }; context: Context }) =>
      payoutStream(args.after, context),
  })
  payoutChanges(
    @Root() message: DurableMessage<Change>,
    @Arg("after", () => String, cursorArg) _after: string | null,
  ): typeof PayoutChangeMessage {
    return streamMessageView(message, ({ change, payout }, cursor) => ({ cursor, change, node: payoutView(payout) }));
  }

  @Subscription(() => PayoutAccountChangeMessage, {
    description:
      "Bank accounts of a provider, all for an operator: everybody who follows it hears of a change while its cooling period runs. Without `after`: those that stand, a checkpoint, then every change. With `after`: every change behind that cursor, then live. Nothing is lost.",
    subscribe: ({ args, context }: { args: { after?: string | null }; context: Context }) =>
      accountStream(args.after, context),
  })
  payoutAccountChanges(
    @Root() message: DurableMessage<AccountChange>,
    @Arg("after", () => String, cursorArg) _after: string | null,
  ): typeof PayoutAccountChangeMessage {
    return streamMessageView(message, ({ change, account }, cursor) => ({
      cursor,
      change,
      node: payoutAccountView(account),
    }));
  }
}
