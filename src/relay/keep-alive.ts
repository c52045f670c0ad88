/** Comments in the silent gaps of a stream, so that nothing between relay and client takes it for dead. */
import type { ClientConnection } from "./client-connection";

export interface KeepAliveIntervals {
  /** Of silence after something has gone out. */
  readonly gapMs: number;
  /** Of silence before: until then the status is still open, and an error can be one. */
  readonly firstMs: number;
}

/** Load balancers give up after 50 or 60 s. */
export const keepAliveIntervals: KeepAliveIntervals = { gapMs: 15_000, firstMs: 10_000 };

const COMMENT = Buffer.from(": keep-alive\n\n");

/** It never lands inside an event, because the relay writes whole events only. */
export class KeepAlive {
  private timer: NodeJS.Timeout;
  private readonly beganMs = performance.now();

  constructor(
    private readonly client: ClientConnection,
    private readonly intervals: KeepAliveIntervals,
    /** Sends the head of the stream if that has not been done. */
    private readonly open: () => void,
  ) {
    this.timer = setTimeout(() => this.look(), intervals.firstMs);
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private look(): void {
    const nowMs = performance.now();
    const { lastWriteMs, keepsUp } = this.client;
    const dueMs = lastWriteMs === null ? this.beganMs + this.intervals.firstMs : lastWriteMs + this.intervals.gapMs;
    // Timers may fire a little early by this clock.
    if (dueMs - nowMs > 1) return this.wait(dueMs - nowMs);
    // Who does not read what is waiting has no use for more.
    if (keepsUp) {
      this.open();
      this.client.write(COMMENT);
    }
    this.wait(this.intervals.gapMs);
  }

  private wait(ms: number): void {
    this.timer = setTimeout(() => this.look(), ms);
  }
}
