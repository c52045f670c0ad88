/** Follows durable topics from a cursor: a snapshot first when there is none, then every event once, in order, without a gap. */
import type { EventBus } from "../../events/event-bus";
import type { DurableEvent, Outbox } from "../../events/outbox";
import type { DurableTopic } from "../../events/topics";
import { isConnectionLoss } from "../../platform/database";
import { DomainError } from "../../platform/errors";
import { pullStream } from "./pull-stream";

/** The bus tells at once; this makes good for what it did not tell, and for a database that was away. */
const POLL_MS = 2_000;
/** So often an idle stream's cursor moves on, and a client can tell silence from a dead connection. */
const CHECKPOINT_MS = 20_000;

const CURSOR = /^outbox:(snapshot|\d{1,19})$/;
/** The cursor of a snapshot's items: whoever goes on from there has not had all of it, and gets it anew. */
const IN_SNAPSHOT = Buffer.from("outbox:snapshot").toString("base64url");
const cursorAt = (position: bigint): string => Buffer.from(`outbox:${position}`).toString("base64url");

/** Null: from the snapshot. Errors: BAD_USER_INPUT. */
export function positionOf(cursor: string | null | undefined): bigint | null {
  if (cursor == null) return null;
  const match = CURSOR.exec(Buffer.from(cursor, "base64url").toString());
  if (match === null) {
    throw new DomainError(
      "BAD_USER_INPUT",
      "after is not a cursor of this stream: pass on a cursor exactly as it was received.",
      {
        field: "after",
      },
    );
  }
  return match[1] === "snapshot" ? null : BigInt(match[1]!);
}

export type DurableMessage<Item> = { cursor: string; item: Item } | { cursor: string; checkpointAt: Date };

export interface DurableStreamOptions<Item> {
  readonly topics: readonly DurableTopic[];
  /** Null: of all organisations. */
  readonly organisationId: string | null;
  readonly after: bigint | null;
  /** What stands now. Read after the stream's position, so an event may tell again what the snapshot told. */
  snapshot(): Promise<Item[]>;
  /** Items of a batch of events, in their order; undefined for one that tells nothing new. */
  itemsOf(events: readonly DurableEvent[]): Promise<(Item | undefined)[]>;
}

export function durableStream<Item>(
  { outbox, bus }: { outbox: Pick<Outbox, "head" | "after">; bus: EventBus },
  options: DurableStreamOptions<Item>,
): AsyncIterableIterator<DurableMessage<Item>> {
  return pullStream((wake) => {
    const ready: DurableMessage<Item>[] = [];
    let position = options.after;
    let checkpointDueMs = Date.now() + CHECKPOINT_MS;
    const off = bus.on("outbox.published", wake);
    const poll = setInterval(wake, POLL_MS).unref();

    const checkpoint = (at: bigint): DurableMessage<Item> => {
      checkpointDueMs = Date.now() + CHECKPOINT_MS;
      return { cursor: cursorAt(at), checkpointAt: new Date() };
    };
    const start = async (): Promise<void> => {
      // The position first: what is published while the snapshot is read comes again as an event, instead of never.
      const head = await outbox.head();
      const items = await options.snapshot();
      ready.push(...items.map((item) => ({ cursor: IN_SNAPSHOT, item })), checkpoint(head));
      position = head;
    };
    const read = async (from: bigint): Promise<void> => {
      const due = Date.now() >= checkpointDueMs;
      // Positions become visible in order: what was the head before the reading is covered by an empty reading after it.
      const head = due ? await outbox.head() : from;
      const events = await outbox.after(from, options.topics, options.organisationId);
      const items = await options.itemsOf(events);
      for (const [index, event] of events.entries()) {
        const item = items[index];
        if (item !== undefined) ready.push({ cursor: cursorAt(event.position), item });
      }
      position = events.at(-1)?.position ?? (head > from ? head : from);
      if (due && events.length === 0) ready.push(checkpoint(position));
      // A full batch may have more behind it, and one that told nothing new must not wait for the next poll.
      if (events.length > 0) wake();
    };
    return {
      async take() {
        if (ready.length === 0) await (position === null ? start() : read(position)).catch(whileDatabaseIsAway);
        return ready.shift();
      },
      close() {
        off();
        clearInterval(poll);
      },
    };
  });
}

/** The next poll tries again; the position has not moved. */
function whileDatabaseIsAway(error: unknown): void {
  if (!isConnectionLoss(error)) throw error;
}
