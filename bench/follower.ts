/** A WebSocket client of one subscription, as cheap as can be: it counts frames, and reads into them only when told to. */
import { connect, type Socket } from "node:net";

export interface FollowerOptions {
  readonly url: URL;
  readonly key: string;
  readonly query: string;
  readonly localAddress?: string;
  /** The subscription has been asked for; the protocol does not tell when it stands. */
  onSubscribed(): void;
  onMessage(payload: Buffer): void;
  onClose(code: number | null): void;
}

const HEAD_END = Buffer.from("\r\n\r\n");
const NEXT = '"type":"next"';
const TEXT = 0x1;
const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;

export class Follower {
  readonly socket: Socket;
  private rest: Buffer = Buffer.alloc(0);
  private open = false;
  private closeCode: number | null = null;

  constructor(private readonly options: FollowerOptions) {
    const { url, localAddress } = options;
    this.socket = connect({
      port: Number(url.port),
      host: url.hostname,
      ...(localAddress === undefined ? {} : { localAddress }),
    });
    this.socket.setNoDelay(true);
    this.socket.write(
      `GET ${url.pathname} HTTP/1.1\r\nhost: ${url.host}\r\nupgrade: websocket\r\nconnection: Upgrade\r\n` +
        "sec-websocket-version: 13\r\nsec-websocket-key: ZXhlcmd5IGJlbmNoIGtleQ==\r\nsec-websocket-protocol: graphql-transport-ws\r\n\r\n",
    );
    this.socket.on("data", (chunk) => this.take(chunk));
    this.socket.on("error", () => undefined);
    this.socket.on("close", () => options.onClose(this.closeCode));
  }

  private take(chunk: Buffer): void {
    let bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    if (!this.open) {
      const headEnd = bytes.indexOf(HEAD_END);
      if (headEnd === -1) {
        this.rest = bytes;
        return;
      }
      if (!bytes.subarray(0, 12).equals(Buffer.from("HTTP/1.1 101"))) {
        this.socket.destroy();
        return;
      }
      this.open = true;
      bytes = bytes.subarray(headEnd + HEAD_END.length);
      this.text({ type: "connection_init", payload: { authorization: `Bearer ${this.options.key}` } });
    }
    this.rest = this.frames(bytes);
  }

  /** Handles whole frames; what is left over is the start of the next. A server neither masks nor, here, fragments. */
  private frames(bytes: Buffer): Buffer {
    let at = 0;
    while (bytes.length - at >= 2) {
      let length = bytes[at + 1]! & 0x7f;
      let start = at + 2;
      if (length === 126) {
        if (bytes.length - at < 4) break;
        length = bytes.readUInt16BE(at + 2);
        start = at + 4;
      } else if (length === 127) {
        if (bytes.length - at < 10) break;
        length = Number(bytes.readBigUInt64BE(at + 2));
        start = at + 10;
      }
      if (bytes.length < start + length) break;
      this.frame(bytes[at]! & 0xf, bytes.subarray(start, start + length));
      at = start + length;
    }
    return at === 0 ? bytes : bytes.subarray(at);
  }

  private frame(opcode: number, payload: Buffer): void {
    if (opcode === PING) return this.send(PONG, payload);
    if (opcode === CLOSE) {
      this.closeCode = payload.length >= 2 ? payload.readUInt16BE(0) : null;
      this.socket.end();
      return;
    }
    if (opcode !== TEXT) return;
    const start = payload.toString("latin1", 0, 80);
    if (start.includes(NEXT)) return this.options.onMessage(payload);
    const { type } = JSON.parse(payload.toString()) as { type: string };
    if (type === "connection_ack") {
      this.text({ id: "1", type: "subscribe", payload: { query: this.options.query } });
      this.options.onSubscribed();
    } else if (type === "ping") {
      this.text({ type: "pong" });
    } else if (type === "error") {
      throw new Error(`the subscription was refused: ${payload}`);
    }
  }

  private text(message: object): void {
    this.send(TEXT, Buffer.from(JSON.stringify(message)));
  }

  /** Masked with zeros, as the protocol demands of a client, so the payload is written as it is. */
  private send(opcode: number, payload: Buffer): void {
    const long = payload.length > 125;
    const head = Buffer.alloc(long ? 8 : 6);
    head[0] = 0x80 | opcode;
    head[1] = 0x80 | (long ? 126 : payload.length);
    if (long) head.writeUInt16BE(payload.length, 2);
    this.socket.write(Buffer.concat([head, payload]));
  }
}
