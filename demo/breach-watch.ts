/** What a provider hears of its own breaches on the subscription. */
import type { SlaBreachChangesSubscription } from "../codegen/generated/graphql";

type Message = SlaBreachChangesSubscription["slaBreaches"];
export type BreachEvent = Extract<Message, { __typename: "SlaBreachEvent" }>;

export class BreachWatch {
  readonly events: BreachEvent[] = [];
  private readonly listeners = new Set<(event: BreachEvent) => void>();

  hear(message: Message): void {
    if (message.__typename !== "SlaBreachEvent") return;
    this.events.push(message);
    for (const listener of this.listeners) listener(message);
  }

  onEvent(listener: (event: BreachEvent) => void): void {
    this.listeners.add(listener);
  }

  /** Resolves with the first event that `wanted` accepts, past or to come; null when none comes in time. */
  until(wanted: (event: BreachEvent) => boolean, timeoutMs: number): Promise<BreachEvent | null> {
    const known = this.events.find(wanted);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve) => {
      const end = (event: BreachEvent | null) => {
        clearTimeout(timer);
        this.listeners.delete(listener);
        resolve(event);
      };
      const listener = (event: BreachEvent) => wanted(event) && end(event);
      const timer = setTimeout(() => end(null), timeoutMs);
      this.listeners.add(listener);
    });
  }
}
