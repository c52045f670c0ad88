/** A TCP hop between a client and relays that takes the answer from the client when a test says so: the client sees a reset. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export interface Fault {
  /** The answer is swallowed; when this has come, the client's connection is reset. */
  readonly when: string;
  /** Whether the relay sees it, too. Otherwise its side stays open, as behind a proxy or a dead link. */
  readonly relaySees: boolean;
}

/** A fault that strikes before the relay answers: as soon as the request is on its way. */
export const AT_ONCE = "";

export class FaultyWay {
  private server!: Server;
  private readonly sockets = new Set<Socket>();
  private readonly faults: Fault[] = [];
  private connections = 0;
  /** How many faults have struck. */
  struck = 0;

  private constructor(private readonly ports: readonly number[]) {}

  /** Connections go to the relays in turns. */
  static async to(...urls: readonly string[]): Promise<FaultyWay> {
    const way = new FaultyWay(urls.map((url) => Number(new URL(url).port)));
    way.server = createServer((client) => way.accept(client)).listen(0, "127.0.0.1");
    await once(way.server, "listening");
    return way;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Each of the next connections has one of these, in order. */
  strike(...faults: readonly Fault[]): void {
    this.faults.push(...faults);
  }

  async close(): Promise<void> {
    const closed = once(this.server, "close");
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private accept(client: Socket): void {
    const fault = this.faults.shift();
    const relay = connect(this.ports[this.connections++ % this.ports.length]!, "127.0.0.1");
    for (const socket of [client, relay]) {
      this.sockets.add(socket.setNoDelay(true));
      socket.on("error", () => undefined).on("close", () => this.sockets.delete(socket));
    }
    let answer = "";
    let over = false;
    const strike = () => {
      if (over) return;
      over = true;
      this.struck += 1;
      client.resetAndDestroy();
      if (fault?.relaySees) relay.resetAndDestroy();
    };
    client.on("data", (bytes) => {
      relay.write(bytes, () => {
        if (fault?.when === AT_ONCE && bytes.length > 0) strike();
      });
    });
    relay.on("data", (bytes) => {
      if (fault === undefined) return void client.write(bytes);
      answer += bytes.toString("latin1");
      if (fault.when !== AT_ONCE && answer.includes(fault.when)) strike();
    });
    client.on("end", () => relay.end());
    relay.on("end", () => client.end());
    relay.on("close", () => {
      if (!over) client.destroy();
    });
    client.on("close", () => {
      if (!over) relay.destroy();
    });
  }
}
