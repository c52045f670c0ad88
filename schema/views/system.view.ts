/** What the marketplace runs on at the moment. */
import { ProcessRole } from "../enums";
import { Instant, ListOf, Span, Text, View, Whole } from "../fields";

@View("Process", "A running process of the marketplace, as it announced itself a few seconds ago.")
export class ProcessView {
  @Text("Its name; a restart gets a new one.") instance!: string;
  @ListOf(() => ProcessRole, "What it does.") roles!: ProcessRole[];
  @Text("Its version.") version!: string;
  @Instant("When it started.") startedAt!: Date;
  @Whole("Open connections of subscribers.") sockets!: number;
  @Whole("Running subscriptions.") subscriptions!: number;
}

@View("TestClock", "The time of a test system, which runs ahead of the real one by what it was moved.")
export class TestClockView {
  @Instant("What time it is for the marketplace.") now!: Date;
  @Instant("What time it really is.") realNow!: Date;
  @Span("How far it has been moved ahead.") offset!: number;
}
