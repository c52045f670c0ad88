/** What an hour of a GPU costs, live. */
import { Arg, Resolver, Root, Subscription } from "type-graphql";
import type { Fixing } from "../entities/fixing";
import { FixingView } from "../schema/views/pricing.view";
import { requireScope } from "../src/accounts/viewer";
import type { Context } from "../src/api/context";
import { latest } from "../src/api/streams/stream";
import { fixingView } from "../src/api/views/pricing";

/** Fixings are made once an hour: this is for a process that shares no bus with the one that made them. */
const REFRESH_MS = 60_000;

interface QuotesArgs {
  accelerator?: string | null;
  region?: string | null;
}

function quoteStream({ accelerator, region }: QuotesArgs, { viewer, services: { bus, pricing } }: Context) {
  requireScope(viewer, "READ");
  return latest<Fixing>({
    keyOf: (fixing) => `${fixing.accelerator}|${fixing.region}`,
    looksOf: ({ id }) => id,
    listen: (tell) => bus.on("fixing.made", () => tell()),
    refreshMs: REFRESH_MS,
    current: async () =>
      (await pricing.latestFixings()).filter(
        (fixing) =>
          (accelerator == null || fixing.accelerator === accelerator) && (region == null || fixing.region === region),
      ),
  });
}

@Resolver()
export class PricingSubscription {
  @Subscription(() => FixingView, {
    description:
      "The spot reference of each accelerator and region: the current ones, then each new one when it is fixed. A slow reader gets the newest of each.",
    subscribe: ({ args, context }: { args: QuotesArgs; context: Context }) => quoteStream(args, context),
  })
  quotes(
    @Root() fixing: Fixing,
    @Arg("accelerator", () => String, { nullable: true, description: "Only this GPU, by its code." })
    _accelerator: string | null,
    @Arg("region", () => String, { nullable: true, description: "Only this region." }) _region: string | null,
  ): FixingView {
    return fixingView(fixing);
  }
}
