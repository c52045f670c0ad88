/** One operation's answer as server-sent events. */
import type { ServerResponse } from "node:http";
import type { GraphQLFormattedError } from "graphql";
import { type Outlet, Payload, WAITING_BYTES_MAX, WAITING_MESSAGES_MAX } from "./streams/outlet";

const HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  // nginx would collect events until its buffer is full.
  "x-accel-buffering": "no",
};
const COMMENT = ":\n\n";

export class EventOutlet implements Outlet {
  private waiting = 0;
  /** What had left the socket when it was last looked at, while something waited. */
  private stalledAtBytes = -1;

  constructor(
    private readonly response: ServerResponse,
    private readonly present: (errors: readonly unknown[]) => readonly GraphQLFormattedError[],
  ) {}

  get closed(): boolean {
    return this.response.destroyed || this.response.writableEnded;
  }

  /** The client learns at once that it is connected, before there is anything to tell. */
  open(): void {
    if (!this.response.headersSent) this.response.writeHead(200, HEADERS);
    this.response.write(COMMENT);
  }

  hasRoom(): boolean {
    const bytes = this.response.writableLength;
    if (bytes === 0) this.waiting = 0;
    return bytes < WAITING_BYTES_MAX && this.waiting < WAITING_MESSAGES_MAX;
  }

  write(payload: Payload): void {
    if (this.closed) return;
    this.waiting += 1;
    this.response.write(payload.event);
  }

  flushed(): Promise<void> {
    if (this.closed) return Promise.resolve();
    return new Promise((resolve) => {
      const settle = () => {
        this.response.off("close", settle);
        resolve();
      };
      this.response.once("close", settle);
      this.response.write(COMMENT, settle);
    });
  }

  /** An end without `complete` is a lost connection to the client, which then comes back: after `complete` it would not. */
  shed(retryMs = 0): void {
    if (this.closed) return;
    if (!this.response.headersSent) this.response.writeHead(200, HEADERS);
    this.response.end(`retry: ${Math.round(retryMs)}\n\n`);
  }

  end(error?: unknown): void {
    this.finish(error === undefined ? [] : this.present([error]));
  }

  /** The last result, if there is one, and the end of the operation. */
  finish(errors: readonly unknown[], data?: unknown): void {
    if (this.closed) return;
    if (!this.response.headersSent) this.response.writeHead(200, HEADERS);
    if (errors.length > 0 || data !== undefined) {
      const result = { ...(errors.length > 0 ? { errors } : {}), ...(data === undefined ? {} : { data }) };
      this.response.write(new Payload(JSON.stringify(result)).event);
    }
    // The empty data field is for EventSource, which tells nobody of an event without one.
    this.response.end("event: complete\ndata: \n\n");
  }

  /** Called every few seconds. A reader that took nothing since the last time has stalled: no ping would tell us. */
  keepAlive(): void {
    const { response } = this;
    const sentBytes = response.socket?.bytesWritten ?? 0;
    if (response.writableLength > 0) {
      const left = sentBytes - response.writableLength;
      if (left === this.stalledAtBytes) response.destroy();
      this.stalledAtBytes = left;
      return;
    }
    this.stalledAtBytes = -1;
    if (!this.closed) response.write(COMMENT);
  }
}
