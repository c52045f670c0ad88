/** Durable events: appended in the caller's transaction, published in one order, followed from any position, kept for a time. */
import type { EntityManager } from "typeorm";
import { OutboxEvent } from "../../entities/outbox-event";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { newId } from "../platform/ids";
import type { EventBus } from "./event-bus";
import type { OutboxReplay } from "./outbox-replay";
import type { DurableTopic, DurableTopics } from "./topics";

/** Events per reading and per publication. */
export const OUTBOX_BATCH_MAX = 500;
/** Rows per deletion: each is a short transaction. */
const TRIM_BATCH_MAX = 5_000;

/** An event of one of these topics; the topic tells the payload's type. */
export type DurableEvent<T extends DurableTopic = DurableTopic> = {
  [Topic in T]: {
    readonly position: bigint;
    readonly topic: Topic;
    readonly organisationId: string;
    readonly payload: DurableTopics[Topic];
    readonly createdAt: Date;
  };
}[T];

/** What positions there are to follow from. */
export interface OutboxExtent {
  /** A cursor of another epoch counts other events. */
  readonly epoch: string;
  /** Events up to it are gone; 0 when none are. */
  readonly trimmed: bigint;
  /** The newest published; 0 before the first. */
  readonly head: bigint;
}

/** Another place that is handed what was published, in order; its failing is its own. */
export interface RecentEvents {
  append(epoch: string, events: readonly DurableEvent[]): Promise<void>;
}

export class Outbox {
  constructor(
    private readonly db: Database,
    private readonly bus: EventBus,
    private readonly clock: Clock,
    private readonly replay: Pick<OutboxReplay, "append"> | null = null,
  ) {}

  /** Leaves with the transaction: rolled back, it never happened. */
  async append<T extends DurableTopic>(
    tx: EntityManager,
    topic: T,
    organisationId: string,
    payload: DurableTopics[T],
  ): Promise<void> {
    await tx.insert(OutboxEvent, {
      id: newId(),
      topic,
      organisationId,
      payload,
      createdAt: this.clock.now(),
      position: null,
    });
  }

  /**
   * Gives waiting events their positions. One publisher at a time (advisory lock), all positions of a batch visible at
   * once: a follower that has seen position n will never meet a smaller one later. Returns how many were published.
   */
  async publish(): Promise<number> {
    const rows = await this.db.query<EventRow & { epoch: string; lsn: string }>(
      {
        name: "outbox-publish",
        text: `WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock(hashtext('exergy.outbox'))),
                    waiting AS (SELECT e.id FROM turn, outbox_event e WHERE e.position IS NULL ORDER BY e.id LIMIT ${OUTBOX_BATCH_MAX}),
                    placed AS MATERIALIZED (SELECT id, nextval('outbox_position') AS position FROM (SELECT id FROM waiting ORDER BY id) w)
               UPDATE outbox_event o SET position = p.position FROM placed p WHERE o.id = p.id AND o.position IS NULL
            RETURNING o.position, o.topic, o.organisation_id, o.payload, o.created_at, (SELECT epoch FROM outbox_epoch) AS epoch,
                      pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::text AS lsn`,
      },
      [],
    );
    const [first] = rows;
    if (first === undefined) return 0;
    const events = rows.map((row) => eventOf(row)).sort((a, b) => (a.position < b.position ? -1 : 1));
    // Before anybody is told: whoever comes to read then finds it.
    await this.replay?.append(first.epoch, events);
    this.bus.publish("outbox.published", { position: events.at(-1)!.position.toString(), lsn: first.lsn });
    return rows.length;
  }

  async extent(): Promise<OutboxExtent> {
    const [row] = await this.db.query<{ epoch: string; trimmed: string; head: string }>(
      {
        name: "outbox-extent",
        // When all that was published has been trimmed, the head is where the trimming ended.
        text: `SELECT e.epoch, e.trimmed_position AS trimmed,
                      greatest(e.trimmed_position,
                               (SELECT max(position) FROM outbox_event WHERE position IS NOT NULL)) AS head
                 FROM outbox_epoch e`,
      },
      [],
    );
    if (row === undefined) throw new Error("outbox_epoch has lost its row: insert one with a new uuid");
    return { epoch: row.epoch, trimmed: BigInt(row.trimmed), head: BigInt(row.head) };
  }

  /** The position of the newest published event; 0 when there is none. */
  async head(): Promise<bigint> {
    return (await this.extent()).head;
  }

  /** Events after `position` (exclusive), oldest first; null stands for all topics, and for all organisations. */
  async after<T extends DurableTopic>(
    position: bigint,
    topics: readonly T[] | null,
    organisationId: string | null,
  ): Promise<DurableEvent<T>[]> {
    const rows = await this.db.query<EventRow>(
      {
        name: "outbox-after",
        text: `SELECT position, topic, organisation_id, payload, created_at FROM outbox_event
                WHERE position > $1 AND ($2::text[] IS NULL OR topic = ANY ($2))
                  AND ($3::uuid IS NULL OR organisation_id = $3)
                ORDER BY position LIMIT ${OUTBOX_BATCH_MAX}`,
      },
      [position.toString(), topics, organisationId],
    );
    return rows.map((row) => eventOf<T>(row));
  }

  /**
   * Events after `position`, and those that were appended and have no position yet: what a state that was read just now
   * may hold already, although a stream has still to tell it.
   */
  async yetToTell<T extends DurableTopic>(
    position: bigint,
    topics: readonly T[],
    organisationId: string | null,
  ): Promise<Pick<DurableEvent<T>, "topic" | "payload">[]> {
    const rows = await this.db.query<EventRow>(
      {
        name: "outbox-yet-to-tell",
        text: `SELECT position, topic, organisation_id, payload, created_at FROM outbox_event
                WHERE (position > $1 OR position IS NULL) AND topic = ANY ($2)
                  AND ($3::uuid IS NULL OR organisation_id = $3)`,
      },
      [position.toString(), topics, organisationId],
    );
    return rows.map((row) => eventOf<T>({ ...row, position: row.position ?? "0" }));
  }

  /**
   * Forgets what was appended before `olderThan`, and remembers up to where, so that a cursor from before is answered
   * with a gap instead of in silence. Returns how many events went.
   */
  async trim(olderThan: Date): Promise<number> {
    let trimmed = 0;
    for (;;) {
      const [row] = await this.db.query<{ gone: string }>(
        {
          name: "outbox-trim",
          // Up to the first that is young enough: what is kept has no holes, whatever clocks the appenders had.
          text: `WITH young AS (SELECT min(position) AS first FROM outbox_event WHERE position IS NOT NULL AND created_at >= $1),
                      old AS (SELECT position FROM outbox_event, young
                               WHERE position IS NOT NULL AND position < coalesce(first, 9223372036854775807)
                               ORDER BY position LIMIT ${TRIM_BATCH_MAX}),
                      gone AS (DELETE FROM outbox_event WHERE position IN (SELECT position FROM old) RETURNING position),
                      horizon AS (UPDATE outbox_epoch SET trimmed_position =
                                    greatest(trimmed_position, (SELECT max(position) FROM gone)))
                 SELECT count(*) AS gone FROM gone`,
        },
        [olderThan],
      );
      const gone = Number(row?.gone ?? 0);
      trimmed += gone;
      if (gone < TRIM_BATCH_MAX) return trimmed;
    }
  }
}

interface EventRow {
  position: string;
  topic: DurableTopic;
  organisation_id: string;
  payload: DurableTopics[DurableTopic];
  created_at: Date;
}

const eventOf = <T extends DurableTopic>(row: EventRow): DurableEvent<T> =>
  ({
    position: BigInt(row.position),
    topic: row.topic,
    organisationId: row.organisation_id,
    payload: row.payload,
    createdAt: row.created_at,
  }) as DurableEvent<T>;
