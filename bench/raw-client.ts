/** HTTP/1.1 on a kept-alive socket, as cheap as a client can be: what is measured is who answers. One request at a time. */
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

const HEAD_END = Buffer.from("\r\n\r\n");
const LINE_END = Buffer.from("\r\n");
const none = Buffer.alloc(0);

export interface Target {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly tls?: { ca: string; cert: string; key: string };
}

/** The whole request as it goes over the wire. */
export function requestTo(target: Target, body: string): Buffer {
  const { host } = new URL(target.url);
  const headers = Object.entries({ ...target.headers, "content-type": "application/json" });
  const head = [
    "POST /v1/chat/completions HTTP/1.1",
    `host: ${host}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`);
}

type Part = "HEAD" | "BODY" | "CHUNK_SIZE" | "CHUNK" | "CHUNK_END" | "TRAILER";

export class RawClient {
  private part: Part = "HEAD";
  private kept: Buffer = none;
  private bytesLeft = 0;
  private status = 0;
  private ended: ((ok: boolean) => void) | null = null;
  private onBody: ((bytes: Buffer) => void) | null = null;

  private constructor(private readonly socket: Socket) {
    socket.setNoDelay(true);
    socket.on("data", (bytes: Buffer) => this.take(bytes));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.end(false));
  }

  static open({ url, tls }: Target): Promise<RawClient> {
    const { hostname, port } = new URL(url);
    const to = { host: hostname === "localhost" ? "127.0.0.1" : hostname, port: Number(port) };
    return new Promise((resolve, reject) => {
      const opened = () => resolve(new RawClient(socket));
      const socket: Socket =
        tls === undefined ? connect(to, opened) : connectTls({ ...to, ...tls, servername: "localhost" }, opened);
      socket.once("error", reject);
    });
  }

  static openMany(target: Target, count: number): Promise<RawClient[]> {
    return Promise.all(Array.from({ length: count }, () => RawClient.open(target)));
  }

  /** True when a whole answer with status 200 came; never rejects. */
  send(request: Buffer, onBody: ((bytes: Buffer) => void) | null = null): Promise<boolean> {
    if (this.socket.destroyed) return Promise.resolve(false);
    this.onBody = onBody;
    return new Promise((resolve) => {
      this.ended = resolve;
      this.socket.write(request);
    });
  }

  /** Takes nothing from its socket any more. */
  stopReading(): void {
    this.socket.pause();
  }

  close(): void {
    this.socket.destroy();
  }

  private take(bytes: Buffer): void {
    let rest = this.kept.length === 0 ? bytes : Buffer.concat([this.kept, bytes]);
    this.kept = none;
    while (rest.length > 0) {
      const used = this.step(rest);
      if (used === 0) {
        this.kept = rest;
        return;
      }
      rest = rest.subarray(used);
    }
  }

  /** How many bytes it used; 0: it needs more. */
  private step(bytes: Buffer): number {
    switch (this.part) {
      case "HEAD":
        return this.head(bytes);
      case "CHUNK_SIZE": {
        const end = bytes.indexOf(LINE_END);
        if (end === -1) return 0;
        this.bytesLeft = Number.parseInt(bytes.toString("latin1", 0, end), 16);
        this.part = this.bytesLeft === 0 ? "TRAILER" : "CHUNK";
        return end + 2;
      }
      case "BODY":
      case "CHUNK": {
        const used = Math.min(this.bytesLeft, bytes.length);
        this.onBody?.(used === bytes.length ? bytes : bytes.subarray(0, used));
        this.bytesLeft -= used;
        if (this.bytesLeft > 0) return used;
        if (this.part === "CHUNK") this.part = "CHUNK_END";
        else this.end(this.status === 200);
        return used;
      }
      case "CHUNK_END":
        if (bytes.length < 2) return 0;
        this.part = "CHUNK_SIZE";
        return 2;
      case "TRAILER": {
        // The relay tells what a stream cost in a line of its own; the empty one ends them.
        const end = bytes.indexOf(LINE_END);
        if (end === -1) return 0;
        if (end === 0) this.end(this.status === 200);
        return end + 2;
      }
    }
  }

  private head(bytes: Buffer): number {
    const end = bytes.indexOf(HEAD_END);
    if (end === -1) return 0;
    const head = bytes.toString("latin1", 0, end);
    this.status = Number(head.slice(9, 12));
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    this.bytesLeft = Number(length ?? 0);
    this.part = length === undefined ? "CHUNK_SIZE" : "BODY";
    if (length === "0") this.end(this.status === 200);
    return end + HEAD_END.length;
  }

  private end(ok: boolean): void {
    this.part = "HEAD";
    const ended = this.ended;
    this.ended = null;
    this.onBody = null;
    ended?.(ok);
  }
}
