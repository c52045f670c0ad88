import { once } from "node:events";
import type { Server } from "node:http";
import { connect, type Socket } from "node:net";
import { BodyTooLarge, closeGracefully, createHttpServer, listen, readBody } from "../../src/platform/http-server";
import { type LingerBounds, sendWhole } from "../../src/platform/whole-answer";
import { until } from "../support/leftovers";

const LIMIT_BYTES = 1_000;
const TEXT = JSON.stringify({ error: "too large" });
const servers: Server[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => closeGracefully(server, 0)));
});

/** Answers 413 to what is too large, 404 to /nothing without reading, else 200. */
async function start(bounds?: LingerBounds): Promise<number> {
  const server = createHttpServer((request, response) => {
    if (request.url === "/nothing") return sendWhole(response, 404, {}, TEXT, bounds);
    readBody(request, LIMIT_BYTES).then(
      () => sendWhole(response, 200, {}, "fine", bounds),
      (error) => {
        if (error instanceof BodyTooLarge) sendWhole(response, 413, {}, TEXT, bounds);
      },
    );
  });
  servers.push(server);
  return listen(server, 0, "127.0.0.1");
}

/** A bare connection that goes on sending after it was told the end, as a proxy does. */
function open(port: number) {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  sockets.push(socket);
  let received = "";
  let failure: Error | null = null;
  socket.setEncoding("utf8").on("data", (text) => {
    received += text;
  });
  socket.on("error", (error) => {
    failure = error;
  });
  const closed = once(socket, "close").catch(() => undefined);
  const write = (bytes: string | Buffer) =>
    new Promise<void>((resolve, reject) => socket.write(bytes, (error) => (error ? reject(error) : resolve())));
  /** Leaves as a peer does that has sent everything. */
  const leave = async () => {
    socket.end();
    await closed;
  };
  return { socket, closed, write, leave, received: () => received, failure: () => failure };
}

const head = (lengthBytes: number | null, path = "/") =>
  `POST ${path} HTTP/1.1\r\nhost: x\r\n${lengthBytes === null ? "transfer-encoding: chunked" : `content-length: ${lengthBytes}`}\r\n\r\n`;
const chunk = (sizeBytes: number) => `${sizeBytes.toString(16)}\r\n${"x".repeat(sizeBytes)}\r\n`;

describe("an answer while the body is still being sent", () => {
  const size = 4_000_000;

  test("is read whole by a peer that goes on sending after it has come, and never sees a reset", async () => {
    const client = open(await start());
    await client.write(head(size));
    await until("the answer", () => client.received().endsWith(TEXT));
    for (let sent = 0; sent < size; sent += 100_000) await client.write(Buffer.alloc(100_000, "x"));
    await client.leave();
    expect(client.failure()).toBeNull();
    expect(client.received()).toMatch(/^HTTP\/1\.1 413 /);
    expect(client.received().toLowerCase()).toContain("\r\nconnection: close\r\n");
  });

  test("is read whole by a peer that reads nothing before it has sent everything", async () => {
    const client = open(await start());
    client.socket.pause();
    await client.write(head(size));
    for (let sent = 0; sent < size; sent += 100_000) await client.write(Buffer.alloc(100_000, "x"));
    client.socket.resume();
    await client.leave();
    expect([client.failure(), client.received().endsWith(TEXT)]).toEqual([null, true]);
  });

  test("is read whole when the length was not declared", async () => {
    const client = open(await start());
    await client.write(head(null));
    for (let sent = 0; sent < size; sent += 100_000) await client.write(chunk(100_000));
    await client.write("0\r\n\r\n");
    await client.leave();
    expect([client.failure(), client.received().endsWith(TEXT)]).toEqual([null, true]);
  });

  test("has its end seen at once by a peer that sends no more", async () => {
    const client = open(await start());
    const ended = once(client.socket, "end");
    await client.write(head(null) + chunk(2_000));
    await ended;
    expect(client.received().endsWith(TEXT)).toBe(true);
  });

  test("waits for the answers to what the peer asked before, and cuts none of them", async () => {
    const client = open(await start());
    await client.write(`${head(5)}first${head(size)}`);
    await until("both answers", () => client.received().endsWith(TEXT));
    expect(client.received().match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 413"]);
  });
});

describe("what is read after an answer", () => {
  test("is bounded in bytes: an endless body is cut, and the answer had come", async () => {
    const bytes = 1_000_000;
    const client = open(await start({ bytes, timeMs: 60_000 }));
    const server = servers[0]!;
    let readBytes = 0;
    server.on("connection", (socket: Socket) => socket.on("close", () => (readBytes = socket.bytesRead)));
    await client.write(head(null) + chunk(2_000));
    await until("the answer", () => client.received().endsWith(TEXT));
    const endless = async () => {
      for (;;) await client.write(chunk(100_000));
    };
    await expect(endless()).rejects.toThrow(/EPIPE|ECONNRESET|destroyed|after end/);
    await until("the cut", () => readBytes > 0);
    // One read of the socket beyond it, and its chunks' heads.
    expect(readBytes).toBeGreaterThan(bytes);
    expect(readBytes).toBeLessThan(bytes + 300_000);
  });

  test("is bounded in time: a body that trickles is cut", async () => {
    const client = open(await start({ bytes: 1_000_000, timeMs: 80 }));
    await client.write(head(null) + chunk(2_000));
    await until("the answer", () => client.received().endsWith(TEXT));
    const answeredAt = performance.now();
    const trickle = setInterval(() => client.socket.write(chunk(1)), 5);
    await client.closed;
    clearInterval(trickle);
    expect(performance.now() - answeredAt).toBeLessThan(2_000);
  });

  test("is nothing to a peer that leaves: its socket is forgotten", async () => {
    const client = open(await start({ bytes: 1_000_000, timeMs: 60_000 }));
    await client.write(head(2_000_000));
    await until("the answer", () => client.received().endsWith(TEXT));
    client.socket.destroy();
    const connections = () =>
      new Promise<number>((resolve) => servers[0]!.getConnections((_, count) => resolve(count)));
    await until("the socket to be forgotten", async () => (await connections()) === 0);
  });

  test("is the small rest of a declared body, and the connection carries the next request", async () => {
    const client = open(await start());
    await client.write(head(5_000, "/nothing"));
    await until("the answer", () => client.received().endsWith(TEXT));
    await client.write(`${"x".repeat(5_000)}${head(3)}abc`);
    await until("the next answer", () => client.received().endsWith("fine"));
    expect(client.received().match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 404", "HTTP/1.1 200"]);
    expect(client.received().toLowerCase()).not.toContain("connection: close");
  });
});
