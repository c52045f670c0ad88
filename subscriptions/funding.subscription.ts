/** A startup's credit, live. */
import { Arg, ID, Resolver, Root, Subscription } from "type-graphql";
import { CreditBalanceView } from "../schema/views/funding.view";
import type { Context } from "../src/api/context";
import { optionalUuidOf } from "../src/api/node-ids";
import { balanceStream } from "../src/api/streams/balance-stream";
import { creditBalanceView } from "../src/api/views/funding";
import { startupWithCredit } from "../src/api/whose-credit";
import type { CreditBalance } from "../src/ledger/ledger";

@Resolver()
export class FundingSubscription {
  @Subscription(() => CreditBalanceView, {
    description: "A startup's credit: as it is, then after every change, at most four times a second.",
    subscribe: ({ args, context }: { args: { startupId?: string | null }; context: Context }) => {
      const startupId = startupWithCredit(context.viewer, optionalUuidOf(args.startupId, "Startup", "startupId"));
      return balanceStream(context.services, startupId);
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
