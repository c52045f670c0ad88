/** Which processes make up the system at the moment: each announces itself with a time to live. */
import { z } from "zod";
import { type Role, roleNames } from "../platform/config";
import type { RedisLink } from "../platform/redis";
import type { EventBus } from "./event-bus";

export interface Presence {
  /** New at every start. */
  readonly instance: string;
  readonly roles: readonly Role[];
  readonly startedAt: Date;
  readonly version: string;
  /** Open WebSockets and event streams. */
  readonly sockets: number;
  readonly subscriptions: number;
}

export interface LiveCounts {
  readonly sockets: number;
  readonly subscriptions: number;
}

/** Three announcements may be lost. */
const TTL_S = 15;
export const ANNOUNCE_MS = 4_000;

const shape = z.object({
  instance: z.string(),
  roles: z.array(z.enum(roleNames)),
  startedAt: z.coerce.date(),
  version: z.string(),
  sockets: z.number().int().min(0),
  subscriptions: z.number().int().min(0),
});

/** One slot of a Cluster for all of them: they are read in one command. */
const LIST = "{processes}";
const keyOf = (instance: string) => `{processes}:${instance}`;

export class Processes {
  private counts: () => LiveCounts = () => ({ sockets: 0, subscriptions: 0 });
  private lastKnown = 1;
  /** Those that were heard on the bus, while there is no Redis to ask. */
  private readonly heard = new Map<string, { presence: Presence; atMs: number }>();

  /** Without Redis those are known that the bus reaches: this process and its kin. */
  constructor(
    private readonly own: Omit<Presence, keyof LiveCounts>,
    private readonly redis: RedisLink | undefined,
    private readonly bus?: EventBus,
  ) {
    if (redis !== undefined) return;
    bus?.on("process.announced", ({ startedAt, ...said }) => {
      this.heard.set(said.instance, { presence: { ...said, startedAt: new Date(startedAt) }, atMs: performance.now() });
    });
    bus?.on("process.left", ({ instance }) => void this.heard.delete(instance));
  }

  /** The API tells how many it serves, once it is there. */
  countWith(counts: () => LiveCounts): void {
    this.counts = counts;
  }

  /** How many there were when this process last looked. */
  get known(): number {
    return this.lastKnown;
  }

  get self(): Presence {
    return { ...this.own, ...this.counts() };
  }

  /** To be repeated every few seconds. Redis away: the others learn of it by our silence. */
  async announce(): Promise<void> {
    if (this.redis?.connected()) {
      const { commands } = this.redis;
      await commands.set(keyOf(this.own.instance), JSON.stringify(this.self), "EX", TTL_S);
      await commands.sadd(LIST, this.own.instance);
    } else if (this.redis === undefined) {
      this.bus?.publish("process.announced", { ...this.self, startedAt: this.own.startedAt.toISOString() });
    }
    await this.list();
  }

  /** On a clean end the others need not wait for our silence. */
  async leave(): Promise<void> {
    if (this.redis === undefined) this.bus?.publish("process.left", { instance: this.own.instance });
    if (!this.redis?.connected()) return;
    const { commands } = this.redis;
    await Promise.all([commands.del(keyOf(this.own.instance)), commands.srem(LIST, this.own.instance)]).catch(
      () => undefined,
    );
  }

  /** All that are known to live, the longest running first; while Redis is away this one alone. */
  async list(): Promise<Presence[]> {
    const others = this.redis === undefined ? this.kin() : await this.announced().catch(() => []);
    const all = [this.self, ...others.filter(({ instance }) => instance !== this.own.instance)];
    this.lastKnown = all.length;
    return all.sort((a, b) => a.startedAt.getTime() - b.startedAt.getTime() || (a.instance < b.instance ? -1 : 1));
  }

  private kin(): Presence[] {
    const tooOldMs = performance.now() - TTL_S * 1_000;
    for (const [instance, { atMs }] of this.heard) if (atMs < tooOldMs) this.heard.delete(instance);
    return [...this.heard.values()].map(({ presence }) => presence);
  }

  private async announced(): Promise<Presence[]> {
    if (!this.redis?.connected()) return [];
    const { commands } = this.redis;
    const instances = await commands.smembers(LIST);
    if (instances.length === 0) return [];
    const texts = await commands.mget(instances.map(keyOf));
    const gone = instances.filter((_, index) => texts[index] === null);
    if (gone.length > 0) await commands.srem(LIST, ...gone);
    return texts.flatMap((text) => {
      const parsed = shape.safeParse(parse(text));
      return parsed.success ? [parsed.data] : [];
    });
  }
}

function parse(text: string | null | undefined): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}
