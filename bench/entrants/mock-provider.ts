/**
 * The provider of the relay's bench: HTTP/1.1 by hand on mTLS, and on plain TCP for a peer that speaks none. What it answers is
 * asked for by the body's `user`: `whole`, `stream`, `paced FRAMES MS` or `flood`.
 */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { FLOOD, FLOOD_BYTES, frames, MODELS, ROLE, STREAM_END, STREAM_HEAD, WHOLE } from "../provider-answers";

const HEAD_END = Buffer.from("\r\n\r\n");
/** The wish stands in the first bytes of a body, whatever a relay puts before it. */
const WISH_WITHIN_BYTES = 384;
const wish = /"user":"(\w+)(?: (\d+) (\d+))?"/;

const { tls, clientCaPem } = JSON.parse(process.argv[2] ?? "{}") as {
  tls: { certPem: string; keyPem: string };
  clientCaPem: string;
};

class Connection {
  private received: Buffer | null = null;
  private bodyBytesLeft = 0;
  private asked: RegExpExecArray | null = null;
  private closed = false;

  constructor(private readonly socket: Socket) {
    socket.setNoDelay(true);
    socket.on("data", (bytes: Buffer) => this.take(bytes));
    socket.on("close", () => {
      this.closed = true;
    });
    socket.on("error", () => socket.destroy());
  }

  private take(bytes: Buffer): void {
    if (this.bodyBytesLeft > 0) {
      this.bodyBytesLeft -= bytes.length;
      if (this.bodyBytesLeft <= 0) this.answer();
      return;
    }
    const all = this.received === null ? bytes : Buffer.concat([this.received, bytes]);
    this.received = all;
    const headEnd = all.indexOf(HEAD_END);
    if (headEnd === -1) return;
    const head = all.toString("latin1", 0, headEnd);
    const bodyStart = headEnd + HEAD_END.length;
    const bodyBytes = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    if (all.length - bodyStart < Math.min(bodyBytes, WISH_WITHIN_BYTES)) return;
    this.received = null;
    this.asked = bodyBytes === 0 ? null : wish.exec(all.toString("latin1", bodyStart, bodyStart + WISH_WITHIN_BYTES));
    this.bodyBytesLeft = bodyBytes - (all.length - bodyStart);
    if (this.bodyBytesLeft <= 0) this.answer();
  }

  private answer(): void {
    this.bodyBytesLeft = 0;
    const [, kind, count, pauseMs] = this.asked ?? [];
    if (kind === undefined) this.socket.write(MODELS);
    else if (kind === "stream") this.stream();
    else if (kind === "paced") this.pace(Number(count), Number(pauseMs));
    else if (kind === "flood") this.flood();
    else this.socket.write(WHOLE);
  }

  private stream(): void {
    this.socket.write(Buffer.concat([STREAM_HEAD, ROLE, frames[0]!]));
    setImmediate(() => this.socket.write(Buffer.concat([...frames.slice(1, 8), STREAM_END])));
  }

  /** By the clock, not by the last frame: a provider that is late catches up, as a model does whose tokens wait in a buffer. */
  private pace(count: number, pauseMs: number): void {
    const beganMs = performance.now();
    let next = 0;
    this.socket.write(STREAM_HEAD);
    this.socket.write(ROLE);
    const tick = () => {
      if (this.closed) return;
      const due = Math.min(count, Math.floor((performance.now() - beganMs) / pauseMs) + 1);
      while (next < due) this.socket.write(frames[next++]!);
      if (next === count) this.socket.write(STREAM_END);
      else setTimeout(tick, Math.max(1, beganMs + next * pauseMs - performance.now()));
    };
    tick();
  }

  private flood(): void {
    let left = FLOOD_BYTES;
    this.socket.write(STREAM_HEAD);
    const pour = () => {
      while (left > 0 && !this.closed) {
        left -= FLOOD.length;
        if (!this.socket.write(FLOOD)) return void this.socket.once("drain", pour);
      }
      if (!this.closed) this.socket.write(STREAM_END);
    };
    pour();
  }
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 }, () =>
      resolve((server.address() as AddressInfo).port),
    );
  });
}

async function main(): Promise<void> {
  const secure = createTlsServer(
    { cert: tls.certPem, key: tls.keyPem, ca: clientCaPem, requestCert: true, rejectUnauthorized: true },
    (socket) => void new Connection(socket),
  );
  const plain = createServer((socket) => void new Connection(socket));
  const [port, plainPort] = [await listen(secure), await listen(plain)];
  process.stdout.write(
    `${JSON.stringify({ url: `https://localhost:${port}`, plainUrl: `http://localhost:${plainPort}` })}\n`,
  );
}

process.on("SIGTERM", () => process.exit(0));
void main();
