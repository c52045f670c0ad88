/** Where one subscriber's messages go, and one message as all of a channel's subscribers get it. */

/** Executed once, written out once: the same bytes for everybody who shares the channel. */
export class Payload {
  private asSocketTail: Buffer | undefined;
  private asEvent: Buffer | undefined;

  constructor(readonly json: string) {}

  /** Behind `{"id":…,"type":"next","payload":`. */
  get socketTail(): Buffer {
    this.asSocketTail ??= Buffer.from(`${this.json}}`);
    return this.asSocketTail;
  }

  /** A whole server-sent event. JSON holds no line break outside of strings, where it is escaped. */
  get event(): Buffer {
    this.asEvent ??= Buffer.from(`event: next\ndata: ${this.json}\n\n`);
    return this.asEvent;
  }
}

/** One subscription on one connection; the transport implements it, channels write to it. */
export interface Outlet {
  /** Nobody reads it any more. */
  readonly closed: boolean;
  /** False: more waits for this reader than it may keep waiting. */
  hasRoom(): boolean;
  write(payload: Payload): void;
  /** Resolves when what was written has left, or the connection is closed. */
  flushed(): Promise<void>;
  /** Ends the connection of a reader that is too slow, so that it comes again with its cursor. */
  shed(): void;
  /** The stream is over; with an error when it broke. */
  end(error?: unknown): void;
}

/** Messages and bytes that may wait for one reader. */
export const WAITING_MESSAGES_MAX = 256;
export const WAITING_BYTES_MAX = 1024 * 1024;
