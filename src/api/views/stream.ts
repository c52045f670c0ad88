/** A durable stream's messages as views. */
import type { StreamCheckpointView, StreamGapView } from "../../../schema/stream";
import type { DurableMessage } from "../streams/stream";

/** `eventOf` makes the stream's own event of an item; gaps and checkpoints look alike everywhere. */
export function streamMessageView<Item, Event extends object>(
  message: DurableMessage<Item>,
  eventOf: (item: Item, cursor: string) => Event,
): Event | StreamGapView | StreamCheckpointView {
  const { cursor } = message;
  if ("gap" in message) return { cursor, reason: message.gap, missed: message.missed };
  if ("checkpointAt" in message) return { cursor, serverTime: message.checkpointAt };
  return eventOf(message.item, cursor);
}
