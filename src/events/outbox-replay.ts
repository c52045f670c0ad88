/** Recent durable events in a Redis Stream, so that clients who come back by the hundred do not all ask PostgreSQL. A cache: never the truth. */
import { z } from "zod";
import type { Log } from "../platform/log";
import { type RedisLink, reasonOf } from "../platform/redis";
import type { DurableEvent } from "./outbox";
import { durableShapes, isDurableTopic } from "./topic-shapes";

/** About so many are kept; what is older is read from PostgreSQL. */
const KEPT = 10_000;
const BATCH_MAX = 500;
/** The stream of a history that nobody continues (a restored backup) goes by itself. */
const FORGOTTEN_AFTER_S = 7 * 86_400;

const entryFields = z.object({
  /** The position after which this event is the next one: what proves that nothing is missing in between. */
  prev: z.string().regex(/^\d+$/),
  topic: z.string(),
  organisation: z.string(),
  payload: z.string(),
  at: z.iso.datetime(),
});

interface Entry {
  readonly previous: bigint;
  readonly event: DurableEvent;
}

export class OutboxReplay {
  private failing = false;

  constructor(
    private readonly redis: RedisLink,
    private readonly log: Log,
  ) {}

  /**
   * Keeps what one publication has placed, in order. Between two of its events no other position exists; and the one
   * before its first is taken as the last of the publication before, which holds unless the sequence was torn: a torn
   * one is a hole for the reader, who then asks PostgreSQL. Failing is not the publisher's failure.
   */
  async append(epoch: string, events: readonly DurableEvent[]): Promise<void> {
    const key = keyOf(epoch);
    const adding = this.redis.commands.pipeline();
    let previous = (events[0]?.position ?? 1n) - 1n;
    for (const event of events) {
      adding.xadd(key, "MAXLEN", "~", KEPT, `${event.position}-0`, ...fieldsOf(event, previous));
      previous = event.position;
    }
    adding.expire(key, FORGOTTEN_AFTER_S);
    try {
      const results = (await adding.exec()) ?? [];
      const refused = results.find(([error]) => error !== null)?.[0];
      // Another publisher was faster with later positions, or this history was wound back: what is there cannot be trusted.
      if (/equal or smaller/.test(refused?.message ?? "")) await this.redis.commands.del(key);
      else if (refused) throw refused;
      this.failing = false;
    } catch (error) {
      const reason = reasonOf(error as Error);
      if (!this.failing)
        this.log.warn({ reason }, "events are not kept in Redis at the moment: readers ask PostgreSQL");
      this.failing = true;
    }
  }

  /**
   * The events that follow `position` without a hole, oldest first, at most 500. Null when a hole cannot be excluded:
   * flushed, trimmed, not yet written, Redis away. Never an empty list: that nothing follows only PostgreSQL knows.
   */
  async after(position: bigint, epoch: string): Promise<DurableEvent[] | null> {
    if (!this.redis.connected()) return null;
    try {
      const rows = await this.redis.commands.xrange(keyOf(epoch), `(${position}-0`, "+", "COUNT", BATCH_MAX);
      return continued(position, rows.map(entryOf));
    } catch {
      // An outage is told by the connection itself; an entry of an unknown form is as good as none.
      return null;
    }
  }
}

/** As far as each entry says that it follows the one before; null when not even the first follows `position`. */
function continued(position: bigint, entries: readonly Entry[]): DurableEvent[] | null {
  const events: DurableEvent[] = [];
  let at = position;
  for (const { previous, event } of entries) {
    if (previous > at) break;
    events.push(event);
    at = event.position;
  }
  return events.length > 0 ? events : null;
}

const keyOf = (epoch: string): string => `outbox:${epoch}`;

function fieldsOf(event: DurableEvent, previous: bigint): string[] {
  const { topic, organisationId, payload, createdAt } = event;
  const fields = { prev: `${previous}`, topic, organisation: organisationId, payload: JSON.stringify(payload) };
  return Object.entries({ ...fields, at: createdAt.toISOString() }).flat();
}

function entryOf([id, flat]: [id: string, fields: string[]]): Entry {
  const pairs = Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]] as const);
  const { prev, topic, organisation, payload, at } = entryFields.parse(Object.fromEntries(pairs));
  if (!isDurableTopic(topic)) throw new Error(`no durable topic: ${topic}`);
  return {
    previous: BigInt(prev),
    event: {
      position: BigInt(id.slice(0, id.indexOf("-"))),
      topic,
      organisationId: organisation,
      payload: durableShapes[topic].parse(JSON.parse(payload)),
      createdAt: new Date(at),
    } as DurableEvent,
  };
}
