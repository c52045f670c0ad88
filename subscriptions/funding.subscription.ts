/** A startup's credit, live. */
import { Arg, ID, Resolver, Root, Subscription } from "type-graphql";
import { CreditBalanceView } from "../schema/views/funding.view";
import type { Context } from "../src/api/context";
import { optionalUuidOf } from "../src/api/node-ids";
import { latest } from "../src/api/streams/stream";
import { creditBalanceView } from "../src/api/views/funding";
import { startupWithCredit } from "../src/api/whose-credit";
import type { CreditBalance } from "../src/ledger/ledger";

const PAUSE_MS = 250;
/** A safety for a change in a process that shares no bus. */
const REFRESH_MS = 5_000;

/** A change only says "read again", so however many come, the next reading has them all. */
function balanceStream(startupId: string, { services: { bus, ledger } }: Context) {
  return latest<CreditBalance>({
    keyOf: () => startupId,
    // Where the other parts are as they were, so is this one: together they are what was issued.
    looksOf: ({ asOf: _, ...parts }) => Object.values(parts).join(),
    listen: (tell) => bus.on("balance.changed", (change) => change.startupId === startupId && tell()),
    current: async () => [await ledger.balance(startupId)],
    pauseMs: PAUSE_MS,
    refreshMs: REFRESH_MS,
  });
}

@Resolver()
export class FundingSubscription {
  @Subscription(() => CreditBalanceView, {
    description: "A startup's credit: as it is, then after every change, at most four times a second.",
    subscribe: ({ args, context }: { args: { startupId?: string | null }; context: Context }) => {
      const startupId = startupWithCredit(context.viewer, optionalUuidOf(args.startupId, "Startup", "startupId"));
      return balanceStream(startupId, context);
    },
  })
  creditBalance(
    @Root() balance: CreditBalance,
    @Arg("startupId", () => ID, { nullable: true, description: "The startup; your own organisation when left out." })
    _startupId: string | null,
  ): CreditBalanceView {
    return creditBalanceView(balance);
  }
}
