/** A TCP hop before PostgreSQL that keeps an answer back: what was asked has taken effect, and whoever asked does not know. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** The end of every answer: ReadyForQuery, idle, which PostgreSQL sends after the commit. */
const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);
/** What is looked for may be cut in two by packets. */
const OVERLAP_CHARS = 512;

export interface KeptAnswer {
  /** Cuts the connection: the answer never arrives. */
  lose(): void;
}

interface Wanted {
  readonly pattern: RegExp;
  readonly kept: (answer: KeptAnswer) => void;
}

export class WithholdingProxy {
  private readonly sockets = new Set<Socket>();
  private wanted: Wanted | null = null;
  private server: Server;
  url = "";

  constructor(private readonly targetUrl: string) {}

  async listen(): Promise<void> {
    this.server = createServer((client) => this.accept(client)).listen(0, "127.0.0.1");
    await once(this.server, "listening");
    const url = new URL(this.targetUrl);
    url.host = `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    this.url = url.href;
  }

  /** Of the next statement that matches. Resolves when PostgreSQL has answered: then it is committed. One at a time. */
  keepAnswerTo(pattern: RegExp): Promise<KeptAnswer> {
    return new Promise((kept) => {
      this.wanted = { pattern, kept };
    });
  }

  async close(): Promise<void> {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await once(this.server, "close");
  }

  private accept(client: Socket): void {
    const { hostname, port } = new URL(this.targetUrl);
    const upstream = connect({ host: hostname, port: Number(port) });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.sockets.add(socket);
      socket.setNoDelay(true);
      // A killed process or server is what this is for.
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.sockets.delete(socket);
        other.destroy();
      });
    }
    let keeping: Wanted["kept"] | null = null;
    let asked = "";
    let answered: Buffer = Buffer.alloc(0);
    client.on("data", (chunk) => {
      asked = asked.slice(-OVERLAP_CHARS) + chunk.toString("latin1");
      if (this.wanted?.pattern.test(asked)) {
        keeping = this.wanted.kept;
        this.wanted = null;
      }
      upstream.write(chunk);
    });
    upstream.on("data", (chunk) => {
      if (keeping === null) return void client.write(chunk);
      answered = Buffer.concat([answered.subarray(-READY.length), chunk]);
      if (answered.subarray(-READY.length).equals(READY)) keeping({ lose: () => void client.destroy() });
    });
  }
}
