/** Durable events: appended in the caller's transaction, published in one order, followed from any position. */
import type { EntityManager } from "typeorm";
import { OutboxEvent } from "../../entities/outbox-event";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { newId } from "../platform/ids";
import type { EventBus } from "./event-bus";
import type { DurableTopic, DurableTopics } from "./topics";

const BATCH_MAX = 500;

export interface DurableEvent {
  readonly position: bigint;
  readonly topic: DurableTopic;
  readonly organisationId: string;
  readonly payload: DurableTopics[DurableTopic];
  readonly createdAt: Date;
}

export class Outbox {
  constructor(
    private readonly db: Database,
    private readonly bus: EventBus,
    private readonly clock: Clock,
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
    const rows = await this.db.query<{ position: string }>(
      {
        name: "outbox-publish",
        text: `WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock(hashtext('exergy.outbox'))),
                    waiting AS (SELECT e.id FROM turn, outbox_event e WHERE e.position IS NULL ORDER BY e.id LIMIT ${BATCH_MAX}),
                    placed AS MATERIALIZED (SELECT id, nextval('outbox_position') AS position FROM (SELECT id FROM waiting ORDER BY id) w)
               UPDATE outbox_event o SET position = p.position FROM placed p WHERE o.id = p.id AND o.position IS NULL
            RETURNING o.position`,
      },
      [],
    );
    const last = rows.reduce((max, row) => (BigInt(row.position) > max ? BigInt(row.position) : max), 0n);
    if (rows.length > 0) this.bus.publish("outbox.published", { position: last.toString() });
    return rows.length;
  }

  /** The position of the newest published event; 0 when there is none. */
  async head(): Promise<bigint> {
    const rows = await this.db.query<{ head: string }>(
      {
        name: "outbox-head",
        text: "SELECT coalesce(max(position), 0) AS head FROM outbox_event WHERE position IS NOT NULL",
      },
      [],
    );
    return BigInt(rows[0]?.head ?? 0);
  }

  /** Events of `topics` after `position` (exclusive), oldest first; of one organisation, or of all. */
  async after(
    position: bigint,
    topics: readonly DurableTopic[],
    organisationId: string | null,
  ): Promise<DurableEvent[]> {
    const rows = await this.db.query<{
      position: string;
      topic: DurableTopic;
      organisation_id: string;
      payload: DurableTopics[DurableTopic];
      created_at: Date;
    }>(
      {
        name: "outbox-after",
        text: `SELECT position, topic, organisation_id, payload, created_at FROM outbox_event
                WHERE position > $1 AND topic = ANY ($2) AND ($3::uuid IS NULL OR organisation_id = $3)
                ORDER BY position LIMIT ${BATCH_MAX}`,
      },
      [position.toString(), topics, organisationId],
    );
    return rows.map((row) => ({
      position: BigInt(row.position),
      topic: row.topic,
      organisationId: row.organisation_id,
      payload: row.payload,
      createdAt: row.created_at,
    }));
  }
}
