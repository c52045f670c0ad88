/** One client's side of an exchange: whether it is still there, whether it reads, and what to do when it leaves. */
import type { ServerResponse } from "node:http";

/** A reader that takes nothing for this long is gone for our purposes: memory and a provider's slot are waiting on it. */
export const CLIENT_STALL_MS = 30_000;

export class ClientConnection {
  gone = false;
  /** On the clock of performance.now(). */
  lastWriteMs: number | null = null;
  /** Bytes that were written to it. */
  written = 0;
  private onGone: (() => void) | null = null;
  private onDrain: (() => void) | null = null;
  private stall: NodeJS.Timeout | null = null;

  constructor(private readonly response: ServerResponse) {
    const { socket } = response.req;
    // Of a request that was sent ahead of the answer to an earlier one, Node closes the response only when its turn has come.
    const onSocketClose = () => this.leave();
    if (socket.destroyed) this.gone = true;
    // As many as requests wait behind each other.
    socket.setMaxListeners(0).once("close", onSocketClose);
    response.on("close", () => {
      socket.off("close", onSocketClose);
      if (response.writableFinished) this.read();
      else this.leave();
    });
    response.on("drain", () => {
      this.read();
      this.onDrain?.();
    });
  }

  /** Whoever serves the client at the moment; the last one set is told. */
  whenGone(listener: (() => void) | null): void {
    this.onGone = listener;
    if (this.gone) listener?.();
  }

  whenDrained(listener: (() => void) | null): void {
    this.onDrain = listener;
  }

  get keepsUp(): boolean {
    return !this.response.writableNeedDrain;
  }

  /** False when the client does not keep up: stop reading from the provider until `whenDrained`. */
  write(bytes: Buffer | string): boolean {
    if (this.gone) return true;
    this.lastWriteMs = performance.now();
    this.written += bytes.length;
    if (this.response.write(bytes)) return true;
    this.stall ??= setTimeout(() => {
      this.response.destroy();
      this.leave();
    }, CLIENT_STALL_MS);
    return false;
  }

  private read(): void {
    if (this.stall !== null) clearTimeout(this.stall);
    this.stall = null;
  }

  private leave(): void {
    this.read();
    if (this.gone) return;
    this.gone = true;
    this.onGone?.();
  }
}
