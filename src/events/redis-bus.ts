/** Fleeting events among all processes of a system: own listeners hear at once, the others through Redis. Without Redis it is a MemoryBus. */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Log } from "../platform/log";
import { type RedisLink, reasonOf } from "../platform/redis";
import { type EventBus, MemoryBus } from "./event-bus";
import { COALESCE_MS, replacingKey } from "./newest-per";
import { fleetingShapes, isSharedTopic } from "./topic-shapes";
import type { FleetingTopic, FleetingTopics } from "./topics";

/** Channels, each with a hash tag of its own: a Cluster spreads them over its nodes. All processes must agree on it. */
const PARTITIONS = 16;
/** How often each channel carries something: what was lost at the end of a burst is noticed by then. */
const BEAT_MS = 5_000;
/** So many beats of ours that did not come back on a channel are no delay. */
const DEAF_AFTER_BEATS = 2;
const SUBSCRIBE_RETRY_MS = 500;

const messageShape = z.object({
  /** Which process speaks. */
  from: z.string(),
  /** Counts its messages on this channel: a step over one is a loss. */
  seq: z.number().int().min(1),
  events: z.array(z.tuple([z.string(), z.unknown()])),
});

interface Partition {
  /** Without the system's prefix, which `commands` puts before it and `subscriber` does not. */
  readonly name: string;
  sent: number;
  /** Own beats since anything of ours came back. */
  unheard: number;
  readonly waiting: Map<string, readonly [topic: string, payload: unknown]>;
  /** The last sequence number of each process. */
  readonly heard: Map<string, { seq: number; atMs: number }>;
}

export interface RedisBusOptions {
  readonly redis: RedisLink;
  /** Unique name of this process. */
  readonly instance: string;
  readonly log: Log;
}

export class RedisBus implements EventBus {
  readonly shared = true;
  private readonly local: MemoryBus;
  private readonly redis: RedisLink;
  private readonly instance: string;
  private readonly log: Log;
  private readonly partitions: readonly Partition[];
  private readonly timers = new Set<NodeJS.Timeout>();
  private urgent: NodeJS.Immediate | undefined;
  private coalescing: NodeJS.Timeout | undefined;
  private told = 0;
  private closed = false;
  private subscribedBefore = false;
  /** Messages that could not be sent, or were not understood. */
  readonly lost = { unsent: 0, missed: 0, invalid: 0 };

  constructor({ redis, instance, log }: RedisBusOptions) {
    this.local = new MemoryBus((err) => log.error({ err }, "a listener failed"));
    this.redis = redis;
    this.instance = instance;
    this.log = log;
    this.partitions = Array.from({ length: PARTITIONS }, (_, index) => ({
      name: `bus:{${index}}`,
      sent: 0,
      unheard: 0,
      waiting: new Map(),
      heard: new Map(),
    }));
    this.listen();
    this.repeat(BEAT_MS, () => this.beat());
  }

  on<T extends FleetingTopic>(topic: T, listener: (payload: FleetingTopics[T]) => void): () => void {
    return this.local.on(topic, listener);
  }

  publish<T extends FleetingTopic>(topic: T, payload: FleetingTopics[T]): void {
    this.local.publish(topic, payload);
    if (!isSharedTopic(topic) || this.closed) return;
    const key = replacingKey(topic as T, payload);
    const { waiting } = this.partitions[partitionOf(key ?? topic)]!;
    if (key === undefined) {
      this.told += 1;
      waiting.set(`${this.told}`, [topic, payload]);
      this.urgent ??= setImmediate(() => this.flush());
    } else {
      waiting.set(key, [topic, payload]);
      this.coalescing ??= setTimeout(() => this.flush(), COALESCE_MS).unref();
    }
  }

  /** Sends what is waiting and ends; the link is its owner's to close. */
  async close(): Promise<void> {
    this.closed = true;
    for (const timer of this.timers) clearInterval(timer);
    await this.flush();
  }

  private async flush(): Promise<void> {
    clearImmediate(this.urgent);
    clearTimeout(this.coalescing);
    this.urgent = undefined;
    this.coalescing = undefined;
    await Promise.all(
      this.partitions.filter(({ waiting }) => waiting.size > 0).map((partition) => this.send(partition)),
    );
  }

  /** Redis away: what was to be said is forgotten, not queued; those who listen poll what matters. */
  private async send(partition: Partition): Promise<boolean> {
    const events = [...partition.waiting.values()];
    partition.waiting.clear();
    partition.sent += 1;
    const message = JSON.stringify({ from: this.instance, seq: partition.sent, events });
    try {
      await this.redis.commands.spublish(partition.name, message);
      return true;
    } catch {
      this.lost.unsent += events.length;
      return false;
    }
  }

  private beat(): void {
    if (this.subscribedBefore && this.partitions.some(({ unheard }) => unheard >= DEAF_AFTER_BEATS)) this.connectAnew();
    for (const partition of this.partitions) {
      void this.send(partition).then((sent) => {
        if (sent) partition.unheard += 1;
      });
      this.forgetSilent(partition);
    }
  }

  /** Redis takes what we say and brings nothing back: the other connection is dead without knowing it. */
  private connectAnew(): void {
    const subscriber = this.redis.subscriber();
    if (subscriber.status !== "ready") return;
    this.log.warn("Redis brings no messages any more: connecting anew");
    for (const partition of this.partitions) partition.unheard = 0;
    subscriber.disconnect(true);
  }

  private forgetSilent({ heard }: Partition): void {
    const tooOld = Date.now() - BEAT_MS * 10;
    for (const [from, { atMs }] of heard) if (atMs < tooOld) heard.delete(from);
  }

  private listen(): void {
    const subscriber = this.redis.subscriber();
    const byChannel = new Map(this.partitions.map((partition) => [this.redis.prefix + partition.name, partition]));
    subscriber.on("smessage", (channel: string, text: string) => {
      const partition = byChannel.get(channel);
      if (partition) this.hear(partition, text);
    });
    // `ready` comes after each new connection, which knows nothing of the subscriptions of the last.
    subscriber.on("ready", () => void this.subscribeAll());
    // A node of a Cluster was lost and found: its channels were deaf in between.
    subscriber.on("subscribersReady", () => this.lookAgain("the nodes of the Cluster changed"));
    if (subscriber.status === "ready") void this.subscribeAll();
  }

  private async subscribeAll(): Promise<void> {
    await Promise.all(this.partitions.map((partition) => this.subscribe(partition)));
    if (this.subscribedBefore) this.lookAgain("the connection was lost");
    this.subscribedBefore = true;
  }

  /** Tries until it succeeds, or the connection is gone: then the next `ready` does it. */
  private async subscribe({ name }: Partition): Promise<void> {
    const channel = this.redis.prefix + name;
    const subscriber = this.redis.subscriber();
    while (!this.closed && subscriber.status === "ready") {
      try {
        await subscriber.ssubscribe(channel);
        return;
      } catch (error) {
        this.log.debug({ reason: reasonOf(error as Error), channel }, "cannot subscribe yet");
        await new Promise((resolve) => setTimeout(resolve, SUBSCRIBE_RETRY_MS).unref());
      }
    }
  }

  private hear(partition: Partition, text: string): void {
    const message = read(text);
    if (message === null) {
      this.lost.invalid += 1;
      return;
    }
    const { from, seq, events } = message;
    if (from === this.instance) {
      partition.unheard = 0;
      return;
    }
    const before = partition.heard.get(from)?.seq;
    partition.heard.set(from, { seq, atMs: Date.now() });
    for (const [topic, payload] of events) this.deliver(topic, payload);
    if (before !== undefined && seq !== before + 1) {
      this.lost.missed += 1;
      this.lookAgain("messages were lost");
    }
  }

  private deliver(topic: string, payload: unknown): void {
    // A newer version may speak of what we do not know.
    if (!isSharedTopic(topic)) return;
    const parsed = fleetingShapes[topic].safeParse(payload);
    if (parsed.success) this.local.publish(topic, parsed.data);
    else this.lost.invalid += 1;
  }

  private lookAgain(reason: string): void {
    if (!this.subscribedBefore || this.closed) return;
    this.log.debug({ reason }, "messages of other processes may be lost, all is read again");
    this.local.publish("bus.reconnected", {});
  }

  private repeat(ms: number, work: () => void): void {
    this.timers.add(setInterval(work, ms).unref());
  }
}

function partitionOf(key: string): number {
  return createHash("sha1").update(key).digest().readUInt32BE() % PARTITIONS;
}

function read(text: string): z.output<typeof messageShape> | null {
  try {
    return messageShape.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
