/** The running system itself, for those who operate it. */
import { Ctx, Mutation, Query, Resolver } from "type-graphql";
import { InputArg } from "../schema/fields";
import { TestClockAdvanceInput } from "../schema/inputs/system.input";
import { TestClockAdvance } from "../schema/payloads/system.payload";
import { ProcessView, TestClockView } from "../schema/views/system.view";
import type { Context } from "../src/api/context";
import { answer } from "../src/api/user-errors";
import { processView, testClockView } from "../src/api/views/system";

@Resolver()
export class SystemResolver {
  @Query(() => [ProcessView], {
    description:
      "The processes that make up the marketplace, the longest running first. Operators only. While Redis is away: the one that answers.",
  })
  async processes(@Ctx() { services, viewer }: Context): Promise<ProcessView[]> {
    return (await services.system.processes(viewer)).map(processView);
  }

  @Query(() => TestClockView, {
    nullable: true,
    description: "The movable time of a test system; null where the time is the real one. Operators only.",
  })
  testClock(@Ctx() { services, viewer }: Context): TestClockView | null {
    const time = services.system.testTime(viewer);
    return time && testClockView(time);
  }

  @Mutation(() => TestClockAdvance.type, {
    description:
      "Moves the time of a test system ahead, for all its processes: what became due by then is done at once. Operators only, and only where TEST_CLOCK is on.",
  })
  testClockAdvance(
    @InputArg(() => TestClockAdvanceInput) { to, by }: TestClockAdvanceInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return answer(TestClockAdvance, async () => ({
      testClock: testClockView(await services.system.moveTestClock(viewer, { to, byMs: by })),
    }));
  }
}
