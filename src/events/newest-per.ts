/** Which fleeting events may wait a moment for a newer one, because only the newest of the same key matters to anybody. */
import type { FleetingTopic, FleetingTopics } from "./topics";

/** Values of which only the newest matters wait so long for a newer one. */
export const COALESCE_MS = 50;

/** Topics without a key are sent at once, one by one. */
const newestPer: { readonly [T in FleetingTopic]?: (payload: FleetingTopics[T]) => string } = {
  "balance.changed": ({ startupId }) => startupId,
  "utilization.measured": ({ instance, endpointId }) => `${instance} ${endpointId}`,
};

/** Undefined: it replaces nothing, and nothing replaces it. */
export function replacingKey<T extends FleetingTopic>(topic: T, payload: FleetingTopics[T]): string | undefined {
  const key = newestPer[topic]?.(payload);
  return key === undefined ? undefined : `${topic} ${key}`;
}
