/** GraphQL over HTTP/1.1 on kept-alive sockets, as cheap as a client can be: what is measured is the server. */
import { connect, type Socket } from "node:net";
import type { Run } from "./load";

const HEAD_END = Buffer.from("\r\n\r\n");

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/** One connection, one request at a time. */
class Client {
  private received: Buffer = Buffer.alloc(0);
  private waiting: { resolve(answer: Answer): void; reject(error: Error): void } | null = null;

  private constructor(private readonly socket: Socket) {
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this.take(chunk));
    socket.on("error", (error) => this.waiting?.reject(error));
    socket.on("close", () => this.waiting?.reject(new Error("the server closed the connection")));
  }

  static open(url: URL): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = connect(Number(url.port), url.hostname, () => resolve(new Client(socket)));
      socket.once("error", reject);
    });
  }

  ask(request: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.socket.write(request);
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private take(chunk: Buffer): void {
    this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk]);
    const headEnd = this.received.indexOf(HEAD_END);
    if (headEnd === -1) return;
    const head = this.received.toString("latin1", 0, headEnd);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length === undefined) return this.waiting?.reject(new Error("the answer has no content-length"));
    const bodyStart = headEnd + HEAD_END.length;
    const bodyEnd = bodyStart + Number(length);
    if (this.received.length < bodyEnd) return;
    const answer = { status: Number(head.slice(9, 12)), body: this.received.subarray(bodyStart, bodyEnd) };
    this.received = Buffer.alloc(0);
    this.waiting?.resolve(answer);
  }
}

export function graphqlRequest(url: URL, key: string, query: string, variables: object = {}): Buffer {
  const body = JSON.stringify({ query, variables });
  const head = [
    `POST ${url.pathname} HTTP/1.1`,
    `host: ${url.host}`,
    "content-type: application/json",
    "accept: application/graphql-response+json, application/json",
    `authorization: Bearer ${key}`,
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`);
}

export async function askOnce(url: URL, request: Buffer): Promise<Answer> {
  const client = await Client.open(url);
  try {
    return await client.ask(request);
  } finally {
    client.close();
  }
}

/** `clients` connections, each with its next request on the heels of its last answer; an answer with errors is a failure. */
export async function closedLoop(
  url: URL,
  request: Buffer,
  options: { clients: number; durationMs: number },
): Promise<Run> {
  const clients = await Promise.all(Array.from({ length: options.clients }, () => Client.open(url)));
  const latenciesMs: number[] = [];
  let failures = 0;
  const startedMs = performance.now();
  const loop = async (client: Client) => {
    while (performance.now() - startedMs < options.durationMs) {
      const sentMs = performance.now();
      const { status, body } = await client.ask(request);
      if (status === 200 && !body.includes('"errors":')) latenciesMs.push(performance.now() - sentMs);
      else failures += 1;
    }
  };
  try {
    await Promise.all(clients.map(loop));
  } finally {
    for (const client of clients) client.close();
  }
  return { requests: latenciesMs.length, failures, seconds: (performance.now() - startedMs) / 1000, latenciesMs };
}
