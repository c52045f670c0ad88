/** What time it is in the marketplace: a test clock may have moved it ahead, and only the operator may ask. */
import { TestClockAdvanceDocument, TestClockDocument } from "../codegen/generated/graphql";
import type { GraphqlClient } from "./graphql-client";

export class MarketTime {
  private constructor(
    private readonly operator: GraphqlClient,
    private offsetMs: number,
    /** Whether it can be moved at all. */
    readonly movable: boolean,
  ) {}

  static async read(operator: GraphqlClient): Promise<MarketTime> {
    const { testClock } = await operator.ask(TestClockDocument, {});
    const offsetMs = testClock === null ? 0 : Date.parse(testClock.now) - Date.parse(testClock.realNow);
    return new MarketTime(operator, offsetMs, testClock !== null);
  }

  nowMs(): number {
    return Date.now() + this.offsetMs;
  }

  async moveTo(ms: number): Promise<void> {
    const { testClock } = await this.operator.act(TestClockAdvanceDocument, {
      input: { to: new Date(ms).toISOString() },
    });
    this.offsetMs = Date.parse(testClock.now) - Date.parse(testClock.realNow);
  }
}
