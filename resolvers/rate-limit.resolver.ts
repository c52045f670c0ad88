/** What the operation that asks costs, and what that leaves. */
import { Ctx, Query, Resolver } from "type-graphql";
import { RateLimitView } from "../schema/views/rate-limit.view";
import type { Context } from "../src/api/context";

@Resolver()
export class RateLimitResolver {
  @Query(() => RateLimitView, {
    nullable: true,
    description: "The cost of this operation and what is left of the allowance; null where nothing is charged.",
  })
  rateLimit(@Ctx() { charge }: Context): RateLimitView | null {
    if (charge === undefined) return null;
    const { limit, remaining, resetMs } = charge.allowance;
    return { cost: charge.cost, limit, remaining, resetAt: new Date(Date.now() + resetMs) };
  }
}
