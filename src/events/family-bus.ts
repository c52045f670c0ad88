/** Fleeting events among a process and its children, where there is no Redis: own listeners hear at once, the others over the lines between them. */
import type { Log } from "../platform/log";
import type { ProcessLine } from "../platform/process-line";
import { type EventBus, MemoryBus } from "./event-bus";
import { COALESCE_MS, replacingKey } from "./newest-per";
import { isSharedTopic } from "./topic-shapes";
import type { FleetingTopic, FleetingTopics } from "./topics";

type Event = readonly [topic: FleetingTopic, payload: unknown];

/** A process that has not taken so many messages hears nothing more until it has; then it reads again what it knew by listening. */
const WAITING_MAX = 1_000;

interface Member {
  readonly line: ProcessLine;
  missed: boolean;
}

export class FamilyBus implements EventBus {
  readonly shared = true;
  private readonly local: MemoryBus;
  private readonly members = new Set<Member>();
  private readonly waiting = new Map<string, Event>();
  private told = 0;
  private urgent: NodeJS.Immediate | undefined;
  private coalescing: NodeJS.Timeout | undefined;

  constructor({ log }: { log: Log }) {
    this.local = new MemoryBus((err) => log.error({ err }, "a listener failed"));
  }

  on<T extends FleetingTopic>(topic: T, listener: (payload: FleetingTopics[T]) => void): () => void {
    return this.local.on(topic, listener);
  }

  publish<T extends FleetingTopic>(topic: T, payload: FleetingTopics[T]): void {
    this.local.publish(topic, payload);
    if (!isSharedTopic(topic) || this.members.size === 0) return;
    const key = replacingKey(topic as T, payload);
    if (key === undefined) {
      this.told += 1;
      this.waiting.set(`${this.told}`, [topic, payload]);
      this.urgent ??= setImmediate(() => this.flush());
    } else {
      this.waiting.set(key, [topic, payload]);
      this.coalescing ??= setTimeout(() => this.flush(), COALESCE_MS).unref();
    }
  }

  /** To a parent or a child; what one member says, all others hear. Returns what ends it. */
  join(line: ProcessLine): () => void {
    const member: Member = { line, missed: false };
    this.members.add(member);
    line.on<readonly Event[]>("events", (events) => {
      for (const [topic, payload] of events) this.local.publish(topic, payload as never);
      for (const other of this.members) if (other !== member) this.tell(other, events);
    });
    line.on("missed", () => this.local.publish("bus.reconnected", {}));
    return () => void this.members.delete(member);
  }

  /** Sends what waits for something newer. */
  flush(): void {
    clearImmediate(this.urgent);
    clearTimeout(this.coalescing);
    this.urgent = undefined;
    this.coalescing = undefined;
    const events = [...this.waiting.values()];
    this.waiting.clear();
    if (events.length > 0) for (const member of this.members) this.tell(member, events);
  }

  private tell(member: Member, events: readonly Event[]): void {
    if (member.line.waiting >= WAITING_MAX) {
      member.missed = true;
      return;
    }
    if (member.missed) member.line.tell("missed");
    member.missed = false;
    member.line.tell("events", events);
  }
}
