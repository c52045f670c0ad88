/** The running system itself, for those who operate it. */
import { Ctx, Query, Resolver } from "type-graphql";
import { ProcessView } from "../schema/views/system.view";
import type { Context } from "../src/api/context";
import { processView } from "../src/api/views/system";

@Resolver()
export class SystemResolver {
  @Query(() => [ProcessView], {
    description:
      "The processes that make up the marketplace, the longest running first. Operators only. While Redis is away: the one that answers.",
  })
  async processes(@Ctx() { services, viewer }: Context): Promise<ProcessView[]> {
    return (await services.system.processes(viewer)).map(processView);
  }
}
