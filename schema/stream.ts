/** What a durable stream sends: its events, and two messages about the stream itself that all of them share. */
import { type ClassType, createUnionType } from "type-graphql";
import { GapReason } from "./enums";
import { Instant, Of, Text, View, Whole } from "./fields";

@View("StreamCheckpoint", "Everything up to the cursor has been sent.")
export class StreamCheckpointView {
  @Text("Pass it as `after` to go on from here.") cursor!: string;
  @Instant("The server's time.") serverTime!: Date;
}

@View("StreamGap", "Messages are missing here: what follows does not join on to what came before.")
export class StreamGapView {
  @Text("Pass it as `after` to go on from here.") cursor!: string;
  @Of(() => GapReason, "Why.") reason!: GapReason;
  @Whole("How many messages are missing; null when nobody can tell.", { nullable: true }) missed!: number | null;
}

/** The union that a durable stream is made of: its own event (with `cursor` and `node`), a gap, a checkpoint. */
export function streamMessage<Event extends object>(name: string, description: string, event: () => ClassType<Event>) {
  return createUnionType({
    name,
    description,
    types: () => [event(), StreamGapView, StreamCheckpointView] as const,
    resolveType: (message: object) =>
      "node" in message ? event() : "reason" in message ? StreamGapView : StreamCheckpointView,
  });
}
