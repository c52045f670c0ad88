import { once } from "node:events";
import { Agent, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import {
  BodyAborted,
  BodyTooLarge,
  closeGracefully,
  createHttpServer,
  listen,
  PortUnavailable,
  readBody,
} from "../../src/platform/http-server";

const servers: Server[] = [];
const sockets: Socket[] = [];

async function start(
  listener: (request: IncomingMessage, response: ServerResponse) => void,
  options: Parameters<typeof createHttpServer>[1] = {},
) {
  const server = createHttpServer(listener, options);
  servers.push(server);
  return { server, port: await listen(server, 0, "127.0.0.1") };
}

/** A bare connection: what the server sent, and a promise of its end. */
function open(port: number) {
  const socket = connect(port, "127.0.0.1");
  sockets.push(socket);
  let received = "";
  socket.setEncoding("utf8").on("data", (text) => {
    received += text;
  });
  socket.on("error", () => {});
  const ended = once(socket, "close");
  const until = async (text: string) => {
    while (!received.includes(text)) await once(socket, "data");
    return received;
  };
  return { socket, ended, until, received: () => received };
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => closeGracefully(server, 0)));
});

describe("listen", () => {
  test("a port that is taken is named, with the variable to set", async () => {
    const { port } = await start(() => {});
    const refusal = await listen(
      createHttpServer(() => {}),
      port,
      "127.0.0.1",
      "RELAY_PORT",
    ).catch((error) => error);
    expect(refusal).toBeInstanceOf(PortUnavailable);
    expect(refusal).toMatchObject({ port });
    expect(refusal.message).toBe(`port ${port} is in use: set RELAY_PORT to a free one, or stop what listens there`);
  });

  test("an address that this machine does not have is named", async () => {
    const refusal = await listen(
      createHttpServer(() => {}),
      0,
      "192.0.2.1",
    ).catch((error) => error);
    expect(refusal).toBeInstanceOf(PortUnavailable);
    expect(refusal.message).toContain("192.0.2.1");
  });
});

describe("timeouts", () => {
  test.each([
    ["headers", "GET / HTTP/1.1\r\nhost: x\r\nx-slow: ", { headersTimeout: 50, requestTimeout: 1_000 }],
    [
      "body",
      "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nfive.",
      { headersTimeout: 50, requestTimeout: 60 },
    ],
  ])("a client that never finishes its %s is answered 408 and cut", async (_part, text, timeouts) => {
    const { port } = await start(() => {}, { ...timeouts, connectionsCheckingInterval: 10 });
    const client = open(port);
    client.socket.write(text);
    await client.ended;
    expect(client.received()).toMatch(/^HTTP\/1\.1 408 /);
  });
});

describe("readBody", () => {
  const outcome = (limitBytes: number) => {
    let settle: (result: Buffer | Error) => void;
    const result = new Promise<Buffer | Error>((resolve) => {
      settle = resolve;
    });
    const listener = (incoming: IncomingMessage, response: ServerResponse) => {
      readBody(incoming, limitBytes).then(
        (body) => {
          settle(body);
          response.end();
        },
        (error: Error) => {
          settle(error);
          response.writeHead(413, { connection: "close" }).end("too large");
        },
      );
    };
    return { result, listener };
  };

  test.each([0, 1, 1_000, 300_000])("a body of %i bytes arrives whole, whatever its chunks", async (sizeBytes) => {
    const { result, listener } = outcome(300_000);
    const { port } = await start(listener);
    const body = Buffer.alloc(sizeBytes, "exergy");
    const sent = request({ port, host: "127.0.0.1", method: "POST" });
    for (let from = 0; from < sizeBytes; from += 70_001) sent.write(body.subarray(from, from + 70_001));
    sent.end();
    await once(sent, "response");
    expect(body.equals((await result) as Buffer)).toBe(true);
  });

  test("a declared length over the limit is refused before a byte of the body is read", async () => {
    const { result, listener } = outcome(100);
    const { port } = await start(listener);
    const client = open(port);
    client.socket.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 101\r\n\r\n");
    expect(await result).toBeInstanceOf(BodyTooLarge);
    expect(await result).toMatchObject({ code: "BODY_TOO_LARGE", status: 413, limitBytes: 100 });
    expect(await client.until("too large")).toMatch(/^HTTP\/1\.1 413 /);
  });

  test("a chunked body is refused at the limit, though the client would go on for ever", async () => {
    const { result, listener } = outcome(100);
    const { port } = await start(listener);
    const client = open(port);
    client.socket.write(`POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n65\r\n${"a".repeat(101)}\r\n`);
    expect(await result).toBeInstanceOf(BodyTooLarge);
    expect(await client.until("too large")).toMatch(/^HTTP\/1\.1 413 /);
    await client.ended;
  });

  test("a body of exactly the limit is accepted", async () => {
    const { result, listener } = outcome(100);
    const { port } = await start(listener);
    open(port).socket.write(
      `POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n64\r\n${"a".repeat(100)}\r\n0\r\n\r\n`,
    );
    expect(await result).toHaveLength(100);
  });

  test("a client that leaves in mid-body is an abort, not a short body", async () => {
    const { result, listener } = outcome(100);
    const { port } = await start((incoming, response) => {
      listener(incoming, response);
      client.socket.destroy();
    });
    const client = open(port);
    client.socket.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nfive.");
    expect(await result).toBeInstanceOf(BodyAborted);
  });

  test("a client that had left before reading began is an abort too", async () => {
    const { result, listener } = outcome(100);
    const { port } = await start((incoming, response) => {
      client.socket.destroy();
      incoming.once("close", () => listener(incoming, response)).on("error", () => {});
    });
    const client = open(port);
    client.socket.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nfive.");
    expect(await result).toBeInstanceOf(BodyAborted);
  });
});

describe("closeGracefully", () => {
  test("idle connections end at once, and new ones are refused", async () => {
    const { server, port } = await start((_request, response) => void response.end("done"));
    const client = open(port);
    client.socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await client.until("done");
    expect(await closeGracefully(server, 60_000)).toBe(0);
    await client.ended;
    const late = connect(port, "127.0.0.1");
    const [error] = await once(late, "error");
    expect(error).toMatchObject({ code: "ECONNREFUSED" });
  });

  test("an answer in flight is finished within the grace, kept-alive connection or not", async () => {
    let finish = () => {};
    const { server, port } = await start((_request, response) => {
      response.write("first half, ");
      finish = () => void response.end("second half");
    });
    const agent = new Agent({ keepAlive: true });
    const sent = request({ port, host: "127.0.0.1", agent }).end();
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    const closing = closeGracefully(server, 60_000);
    finish();
    let text = "";
    for await (const chunk of response) text += chunk;
    expect(text).toBe("first half, second half");
    expect(await closing).toBe(0);
    agent.destroy();
  });

  test("a request that comes on an open connection while closing is answered and told to be the last", async () => {
    const responses: ServerResponse[] = [];
    const { server, port } = await start((_request, response) => void responses.push(response));
    const client = open(port);
    client.socket.write("GET /first HTTP/1.1\r\nhost: x\r\n\r\n");
    await once(server, "request");
    const closing = closeGracefully(server, 60_000);
    client.socket.write("GET /second HTTP/1.1\r\nhost: x\r\n\r\n");
    await once(server, "request");
    for (const response of responses) response.end("done");
    await client.ended;
    expect(client.received().match(/HTTP\/1\.1 200/g)).toHaveLength(2);
    expect(client.received().toLowerCase()).toContain("connection: close");
    await closing;
  });

  test("what is not finished at the end of the grace is destroyed, upgraded sockets included", async () => {
    const { server, port } = await start(() => {});
    server.on("upgrade", (_request, socket) => {
      socket.on("error", () => {});
      socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n");
    });
    const hanging = open(port);
    hanging.socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await once(server, "request");
    const upgraded = open(port);
    upgraded.socket.write("GET / HTTP/1.1\r\nhost: x\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n");
    await upgraded.until("101");
    expect(await closeGracefully(server, 30)).toBe(2);
    await Promise.all([hanging.ended, upgraded.ended]);
  });

  test("a server that never listened is closed already", async () => {
    expect(
      await closeGracefully(
        createHttpServer(() => {}),
        60_000,
      ),
    ).toBe(0);
  });
});
