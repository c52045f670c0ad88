/** How the time of a test system is moved. */
import { Instant, OneOf, Span } from "../fields";

@OneOf("TestClockAdvanceInput", "How far the time is moved ahead: to an instant, or by a length of time.")
export class TestClockAdvanceInput {
  @Instant("To this instant.", { nullable: true }) to?: Date | null;
  @Span("By so much, at most 366 days.", { nullable: true }) by?: number | null;
}
