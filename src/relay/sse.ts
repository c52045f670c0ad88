/** Cuts a stream of server-sent events into whole events as its bytes arrive, without decoding or copying them. */
import { DomainError } from "../platform/errors";
import { hasAt } from "./json-bytes";
import { type DataReader, readSseEvent, type SseEvent } from "./sse-event";

export type { SseEvent, SseEventKind } from "./sse-event";

/** The upstream sends an event without an end. */
export class EventTooLarge extends DomainError {
  constructor(readonly eventBytesMax: number) {
    super("UPSTREAM_FAILED", `One event of the provider's stream is larger than ${eventBytesMax} bytes.`);
    this.name = "EventTooLarge";
  }
}

/** A line that ends for some readers and goes on for others. */
export class BareReturn extends DomainError {
  constructor() {
    super("UPSTREAM_FAILED", "The provider's stream has a carriage return without a line feed.");
    this.name = "BareReturn";
  }
}

export const EVENT_BYTES_MAX = 1_048_576;
const HELD_BYTES_MIN = 4_096;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);
const nothing = Buffer.alloc(0);

/**
 * One per stream. Lines end with LF or CRLF, mixed as they please; a blank line ends an event. The events' bytes, in
 * order, are the input, but for a byte order mark before the first: nothing else is added, dropped or changed.
 */
export class SseScanner {
  /** The beginning of an event whose end has not come; ours, so that a slow event does not pin the socket's buffers. */
  private held = nothing;
  private heldBytes = 0;
  private place: "LINE_START" | "IN_LINE" | "AFTER_CR" = "LINE_START";
  private awaitsLineFeed = false;
  private isFirst = true;

  constructor(
    private readonly readData: DataReader,
    private readonly eventBytesMax = EVENT_BYTES_MAX,
  ) {}

  /**
   * The events that `chunk` completes; they may be views of it. Errors: EventTooLarge, BareReturn and what `readData`
   * throws, after which to give up.
   */
  push(chunk: Buffer): SseEvent[] {
    this.refuseBareReturns(chunk);
    const events: SseEvent[] = [];
    let start = 0;
    let at = 0;
    while (at < chunk.length) {
      if (this.place === "IN_LINE") {
        const lineFeed = chunk.indexOf(LINE_FEED, at);
        if (lineFeed === -1) break;
        at = lineFeed + 1;
        this.place = "LINE_START";
        continue;
      }
      const byte = chunk[at];
      at += 1;
      if (byte === LINE_FEED) {
        events.push(this.complete(chunk, start, at));
        start = at;
        this.place = "LINE_START";
      } else {
        this.place = byte === CARRIAGE_RETURN ? "AFTER_CR" : "IN_LINE";
      }
    }
    if (start < chunk.length) this.hold(chunk, start, chunk.length);
    return events;
  }

  /** What came after the last whole event when the stream ended: some servers close without the last blank line. */
  end(): SseEvent | null {
    if (this.heldBytes === 0) return null;
    this.place = "LINE_START";
    return this.read(this.release());
  }

  /**
   * To the standard a lone CR ends a line, to most servers it does not. With either reading a provider could show clients
   * of the other one events that the relay did not see, the `[DONE]` of an unpaid answer among them.
   */
  private refuseBareReturns(chunk: Buffer): void {
    if (this.awaitsLineFeed && chunk.length > 0 && chunk[0] !== LINE_FEED) throw new BareReturn();
    for (let at = chunk.indexOf(CARRIAGE_RETURN); at !== -1; at = chunk.indexOf(CARRIAGE_RETURN, at + 1)) {
      if (at + 1 < chunk.length && chunk[at + 1] !== LINE_FEED) throw new BareReturn();
    }
    if (chunk.length > 0) this.awaitsLineFeed = chunk[chunk.length - 1] === CARRIAGE_RETURN;
  }

  /** A mark before the first line would hide its field's name from us, and from no client. */
  private read(bytes: Buffer): SseEvent {
    const marked = this.isFirst && hasAt(bytes, 0, byteOrderMark);
    this.isFirst = false;
    return readSseEvent(marked ? bytes.subarray(byteOrderMark.length) : bytes, this.readData);
  }

  private complete(chunk: Buffer, start: number, end: number): SseEvent {
    if (this.heldBytes > 0) {
      this.hold(chunk, start, end);
      return this.read(this.release());
    }
    if (end - start > this.eventBytesMax) throw new EventTooLarge(this.eventBytesMax);
    return this.read(chunk.subarray(start, end));
  }

  private hold(chunk: Buffer, start: number, end: number): void {
    const bytes = this.heldBytes + end - start;
    if (bytes > this.eventBytesMax) throw new EventTooLarge(this.eventBytesMax);
    if (bytes > this.held.length) {
      const grown = Buffer.allocUnsafe(Math.max(HELD_BYTES_MIN, bytes, this.held.length * 2));
      this.held.copy(grown, 0, 0, this.heldBytes);
      this.held = grown;
    }
    chunk.copy(this.held, this.heldBytes, start, end);
    this.heldBytes = bytes;
  }

  private release(): Buffer {
    const bytes = this.held.subarray(0, this.heldBytes);
    this.held = nothing;
    this.heldBytes = 0;
    return bytes;
  }
}
