/** The newest value per key of a fleeting topic: what a slow consumer missed is replaced, never queued. */
import type { EventBus } from "../../events/event-bus";
import type { FleetingTopic, FleetingTopics } from "../../events/topics";
import { pullStream } from "./pull-stream";

export interface LatestValuesOptions<T extends FleetingTopic> {
  readonly topic: T;
  readonly keyOf: (payload: FleetingTopics[T]) => string;
  readonly wanted: (payload: FleetingTopics[T]) => boolean;
}

/** Keys are sent in the order in which they were first heard of since their last sending, so none starves. */
export function latestValues<T extends FleetingTopic>(
  bus: EventBus,
  { topic, keyOf, wanted }: LatestValuesOptions<T>,
): AsyncIterableIterator<FleetingTopics[T]> {
  return pullStream((wake) => {
    const waiting = new Map<string, FleetingTopics[T]>();
    const close = bus.on(topic, (payload) => {
      if (!wanted(payload)) return;
      waiting.set(keyOf(payload), payload);
      wake();
    });
    return {
      take() {
        const [entry] = waiting;
        if (entry === undefined) return undefined;
        waiting.delete(entry[0]);
        return entry[1];
      },
      close,
    };
  });
}
