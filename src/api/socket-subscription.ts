/** One subscription on a GraphQL socket: to graphql-ws an iterable that only ends, to its channel an outlet of its own frames. */
import type { Admission } from "./fan-out";
import { textFrame } from "./socket-frame";
import type { Peer } from "./socket-protocol";
import { type Outlet, type Payload, WAITING_BYTES_MAX, WAITING_MESSAGES_MAX } from "./streams/outlet";

/** After it the stock client connects again. */
const TRY_AGAIN_LATER = 1013;
const done = { done: true, value: undefined } as const;

export class SocketSubscription implements Outlet, AsyncIterableIterator<never> {
  private readonly own: Buffer;
  private leave: (() => void) | null = null;
  private over = false;
  private failure: { error: unknown } | null = null;
  private settle: (() => void) | null = null;

  constructor(
    private readonly peer: Peer,
    id: string,
    private admission: Admission | null,
  ) {
    this.own = Buffer.from(`{"id":${JSON.stringify(id)},"type":"next","payload":`);
  }

  get closed(): boolean {
    return this.over || this.peer.socket.readyState !== this.peer.socket.OPEN;
  }

  hasRoom(): boolean {
    const { socket } = this.peer;
    const bytes = socket.bufferedAmount;
    if (bytes === 0) this.peer.waiting = 0;
    return bytes < WAITING_BYTES_MAX && this.peer.waiting < WAITING_MESSAGES_MAX;
  }

  /**
   * Straight to the TCP socket: without compression ws writes each of its own frames in one step as well, so frames never
   * mingle.
   */
  write({ socketTail }: Payload): void {
    if (this.closed) return;
    this.peer.waiting += 1;
    this.peer.raw.write(textFrame(this.own, socketTail));
  }

  flushed(): Promise<void> {
    const { socket } = this.peer;
    if (this.closed) return Promise.resolve();
    // A ping of ours waits behind all that waits, and tells when it has left.
    return new Promise((resolve) => socket.ping(undefined, false, () => resolve()));
  }

  shed(): void {
    this.peer.socket.close(TRY_AGAIN_LATER, "Slow consumer");
  }

  end(error?: unknown): void {
    if (error !== undefined) this.failure = { error };
    this.finish();
  }

  /** graphql-ws asks when it has taken the subscription up; only then anything may be sent. */
  next(): Promise<IteratorResult<never>> {
    if (this.admission !== null && !this.over) {
      this.peer.subscriptions += 1;
      const { admission } = this;
      this.admission = null;
      this.leave = admission.join(this);
      // A stream that failed while it was joined could not leave yet.
      if (this.over) this.forget();
    }
    return new Promise((resolve, reject) => {
      const settle = () => (this.failure === null ? resolve(done) : reject(this.failure.error));
      if (this.over) settle();
      else this.settle = settle;
    });
  }

  async return(): Promise<IteratorResult<never>> {
    this.finish();
    return done;
  }

  async throw(error: unknown): Promise<IteratorResult<never>> {
    this.finish();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private finish(): void {
    if (this.over) return;
    this.over = true;
    this.forget();
    this.settle?.();
  }

  private forget(): void {
    if (this.leave === null) return;
    this.peer.subscriptions -= 1;
    this.leave();
    this.leave = null;
  }
}
