/** Fleeting events inside one process: publish never waits, a failing listener hurts nobody else. */
import { EventEmitter } from "node:events";
import { asSystem } from "../platform/tenancy";
import type { FleetingTopic, FleetingTopics } from "./topics";

export interface EventBus {
  /** Whether other processes may hear it. */
  readonly shared: boolean;
  publish<T extends FleetingTopic>(topic: T, payload: FleetingTopics[T]): void;
  /** Returns the function that ends the subscription. */
  on<T extends FleetingTopic>(topic: T, listener: (payload: FleetingTopics[T]) => void): () => void;
}

export class MemoryBus implements EventBus {
  readonly shared: boolean = false;
  private readonly emitter = new EventEmitter();

  constructor(private readonly onListenerError: (error: unknown) => void = () => undefined) {
    // One listener per open subscription is normal here, not a leak.
    this.emitter.setMaxListeners(0);
  }

  publish<T extends FleetingTopic>(topic: T, payload: FleetingTopics[T]): void {
    // What a listener starts is not the publisher's: it must not read as that one's tenant.
    asSystem(() => this.emitter.emit(topic, payload));
  }

  on<T extends FleetingTopic>(topic: T, listener: (payload: FleetingTopics[T]) => void): () => void {
    const guarded = (payload: FleetingTopics[T]) => {
      try {
        listener(payload);
      } catch (error) {
        this.onListenerError(error);
      }
    };
    this.emitter.on(topic, guarded);
    return () => this.emitter.off(topic, guarded);
  }
}
