/** A TCP hop before PostgreSQL that loses what a test wants lost: an answer, every connection, or all patience. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** PASS forwards; HANG_UP ends what connects, as a starting server does; SWALLOW accepts and never answers. */
type Mode = "PASS" | "HANG_UP" | "SWALLOW";

/** The end of every answer: ReadyForQuery, idle, which PostgreSQL sends after the commit. */
const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);

export class LossyProxy {
  private mode: Mode = "PASS";
  private losing: { pattern: RegExp; left: number } | null = null;
  private readonly sockets = new Set<Socket>();
  private server: Server | null = null;
  private port = 0;
  private hangUpMax = 0;
  /** Answers that were lost after PostgreSQL had sent them. */
  lost = 0;
  /** Connections that were tried while hanging up. */
  hungUp = 0;

  constructor(private readonly targetUrl: string) {}

  /** Also after `close`, on the same port as before. */
  async listen(): Promise<void> {
    this.server = createServer((client) => this.accept(client));
    this.server.listen(this.port, "127.0.0.1");
    await once(this.server, "listening");
    this.port = (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    const url = new URL(this.targetUrl);
    url.host = `127.0.0.1:${this.port}`;
    return url.href;
  }

  /** The next statements that match reach PostgreSQL, which answers; the connection is cut before the answer arrives. */
  loseAnswersTo(pattern: RegExp, times = 1): void {
    this.losing = { pattern, left: times };
  }

  /** Cuts every connection; `times` new ones are cut as they come, then all is well again. */
  hangUp(times: number): void {
    this.hungUp = 0;
    this.hangUpMax = times;
    this.switchTo("HANG_UP");
  }

  /** What is connected stays connected and hears nothing more. */
  swallow(): void {
    this.mode = "SWALLOW";
  }

  /** Refuses connections until `listen`. */
  async close(): Promise<void> {
    const { server } = this;
    this.server = null;
    server?.close();
    this.switchTo("PASS");
    if (server?.listening) await once(server, "close");
  }

  private switchTo(mode: Mode): void {
    this.mode = mode;
    for (const socket of this.sockets) socket.destroy();
  }

  private accept(client: Socket): void {
    this.keep(client);
    if (this.mode === "HANG_UP") {
      this.hungUp += 1;
      if (this.hungUp >= this.hangUpMax) this.mode = "PASS";
      client.destroy();
      return;
    }
    const { hostname, port } = new URL(this.targetUrl);
    const upstream = connect({ host: hostname, port: Number(port) });
    this.keep(upstream);
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
    let losing = false;
    client.on("data", (chunk) => {
      if (this.mode === "SWALLOW") return;
      losing ||= this.losesAnswerTo(chunk);
      upstream.write(chunk);
    });
    upstream.on("data", (chunk) => {
      if (this.mode === "SWALLOW") return;
      if (!losing) client.write(chunk);
      else if (chunk.subarray(-READY.length).equals(READY)) {
        this.lost += 1;
        client.destroy();
      }
    });
  }

  private losesAnswerTo(chunk: Buffer): boolean {
    if (this.losing === null || this.losing.left === 0 || !this.losing.pattern.test(chunk.toString("latin1")))
      return false;
    this.losing.left -= 1;
    return true;
  }

  private keep(socket: Socket): void {
    this.sockets.add(socket);
    socket.on("close", () => this.sockets.delete(socket));
    // A cut connection is what this is for.
    socket.on("error", () => undefined);
  }
}
