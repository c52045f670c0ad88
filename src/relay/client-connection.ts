/** One client's side of an exchange: whether it is still there, whether it reads, what it is sent, and what to do when it leaves. */
import type { ServerResponse } from "node:http";
import type { DomainError } from "../platform/errors";
import type { AnswerRecord, Trailers } from "./answer-record";
import { sendError } from "./errors";

/** A reader that takes nothing for this long is gone for our purposes: memory and a provider's slot are waiting on it. */
export const CLIENT_STALL_MS = 30_000;
/** Beyond it a copy costs more than a second buffer in the write. */
const ONE_WRITE_BYTES_MAX = 16_384;

export class ClientConnection {
  /** Nobody is there to read: neither the client nor a later try of it that follows. */
  gone = false;
  /** The client itself has left. */
  left = false;
  /** On the clock of performance.now(). */
  lastWriteMs: number | null = null;
  /** Bytes that were written to it. */
  written = 0;
  private onGone: (() => void) | null = null;
  private onDrain: (() => void) | null = null;
  private stall: NodeJS.Timeout | null = null;

  constructor(
    private readonly response: ServerResponse,
    /** Keeps what the client is sent, for a later try. */
    private readonly record: AnswerRecord,
  ) {
    const { socket } = response.req;
    // Of a request that was sent ahead of the answer to an earlier one, Node closes the response only when its turn has come.
    const onSocketClose = () => this.leave();
    if (socket.destroyed) this.left = this.gone = true;
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
    record.onAlone = () => {
      if (this.left) this.lose();
    };
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
    return this.left || !this.response.writableNeedDrain;
  }

  /** The head is out: no other status can follow. */
  get begun(): boolean {
    return this.record.head !== null;
  }

  /** `own`: headers for this client alone, no part of what a later try is told. */
  begin(
    status: number,
    headers: Readonly<Record<string, string>>,
    own: Readonly<Record<string, string | number>>,
  ): void {
    this.record.begin({ status, headers });
    if (this.left) return;
    const list: (string | number)[] = [];
    add(list, headers);
    add(list, own);
    this.response.writeHead(status, list);
  }

  /** False when the client does not keep up: stop reading from the provider until `whenDrained`. */
  write(bytes: Buffer): boolean {
    this.record.write(bytes);
    this.lastWriteMs = performance.now();
    this.written += bytes.length;
    if (this.left || this.response.write(bytes)) return true;
    this.stall ??= setTimeout(() => {
      this.response.destroy();
      this.leave();
    }, CLIENT_STALL_MS);
    return false;
  }

  end(last: Buffer | null, trailers: Trailers | null = null): void {
    this.record.end(last, trailers);
    if (this.left) return;
    if (trailers !== null) this.response.addTrailers(trailers);
    if (last === null) return void this.response.end();
    this.written += last.length;
    // Head and body in one write: as a string Node puts the two together. Latin-1 is every byte as it is.
    if (last.length <= ONE_WRITE_BYTES_MAX) this.response.end(last.toString("latin1"), "latin1");
    else this.response.end(last);
  }

  /** Instead of an answer. */
  fail(requestId: string, error: DomainError): void {
    this.record.fail(error);
    sendError(this.response, requestId, error);
  }

  private read(): void {
    if (this.stall !== null) clearTimeout(this.stall);
    this.stall = null;
  }

  private leave(): void {
    this.read();
    if (this.left) return;
    this.left = true;
    // A later try of the same request reads on: its provider must not wait for the one that left.
    if (this.record.followed) this.onDrain?.();
    else this.lose();
  }

  private lose(): void {
    this.gone = true;
    this.onGone?.();
  }
}

/**
 * Into a list: Node takes 3 µs for a head that comes so, 9 for one of which a part was set header by header before. Two objects
 * spread into one took 30: V8 keeps what comes of that as a hash table.
 */
function add(list: (string | number)[], headers: Readonly<Record<string, string | number>>): void {
  for (const name in headers) list.push(name, headers[name]!);
}
