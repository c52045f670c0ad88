/** What a room says of a stream of its own; everything else (sharing, replay, bounds) is the fan-out's business. */

import type { GapReason } from "../../../schema/enums";
import type { DurableEvent } from "../../events/outbox";
import type { DurableTopic } from "../../events/topics";
import { readCursor, type StreamCursor } from "./cursor";

/** What the resolver of a durable stream is handed as its root: one message. */
export type DurableMessage<Item> =
  | { readonly cursor: string; readonly item: Item }
  | { readonly cursor: string; readonly checkpointAt: Date }
  | { readonly cursor: string; readonly gap: GapReason; readonly missed: number | null };

/** Every event behind a cursor once and in order; without a cursor what stands now, then every event. */
export interface DurableStream<T extends DurableTopic = DurableTopic, Item = unknown> {
  readonly kind: "DURABLE";
  readonly topics: readonly T[];
  /** Null: of all organisations. */
  readonly organisationId: string | null;
  /** What stands now, oldest first. */
  snapshot(): Promise<Item[]>;
  /** Items of a batch of events, in their order; undefined for one that tells nothing. */
  itemsOf(events: readonly DurableEvent<T>[]): Promise<(Item | undefined)[]>;
  /** Of an item of the snapshot: which event would tell of it again. */
  toldBy(item: Item): string | undefined;
  /** Of an event: what `toldBy` names it; undefined for one that no snapshot tells. */
  tells(event: Pick<DurableEvent<T>, "topic" | "payload">): string | undefined;
}

/** The newest value of each key; what a slow reader missed is replaced, never queued. */
export interface LatestStream<Item = unknown> {
  readonly kind: "LATEST";
  /** What replaces what. */
  keyOf(item: Item): string;
  /** Calls `tell` with a new item, or without one when the current ones are to be read again. Returns the end of it. */
  listen(tell: (item?: Item) => void): () => void;
  /** What stands now: the first that a reader gets, and read again when `listen` says so. */
  current?(): Promise<Item[]>;
  /** An item that looks as the last one of its key is not told again. */
  looksOf?(item: Item): string;
  /** Between two tellings of one channel. */
  readonly pauseMs?: number;
  /** So often the current ones are read again though nobody said so: a change in a process that shares no bus. */
  readonly refreshMs?: number;
}

export type Stream = DurableStream | LatestStream;

/**
 * What a subscription's resolver gives to graphql-js, which wants an async iterable. Nobody iterates it: the fan-out takes
 * the declaration out of it and lets the subscriber join the channel that others of the same interest share.
 */
export class Subscribable implements AsyncIterable<never> {
  constructor(
    readonly stream: Stream,
    readonly after: StreamCursor | null,
  ) {}

  [Symbol.asyncIterator](): AsyncIterator<never> {
    throw new Error("a stream is followed through the fan-out");
  }
}

/** Errors: BAD_USER_INPUT, when `after` is no cursor. */
export function durable<T extends DurableTopic, Item>(
  after: string | null | undefined,
  stream: Omit<DurableStream<T, Item>, "kind">,
): Subscribable {
  return new Subscribable(
    { kind: "DURABLE", ...stream } as unknown as DurableStream,
    after == null ? null : readCursor(after),
  );
}

export function latest<Item>(stream: Omit<LatestStream<Item>, "kind">): Subscribable {
  return new Subscribable({ kind: "LATEST", ...stream } as unknown as LatestStream, null);
}
