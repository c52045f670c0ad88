/** HTTP without a client library's help: sees every byte and header, may leave at any moment, may send what no library would. */
import { once } from "node:events";
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { until } from "./leftovers";

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Broke off: the connection went away before the answer's end. */
  readonly broken: boolean;
}

export interface RawExchange {
  /** What has arrived so far. */
  text(): string;
  status(): number | undefined;
  /** Resolves when `wanted` has arrived. */
  sees(wanted: string): Promise<void>;
  /** For one that stalls: reads on. */
  read(): void;
  /** Closes the socket, without waiting for anything. */
  leave(): void;
  /** Never rejects once the head has arrived; rejects when it never came. */
  readonly answer: Promise<RawAnswer>;
}

export interface RawRequest {
  readonly method?: string;
  readonly path?: string;
  readonly secret?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer | object;
  /** Takes the head of the answer and then nothing, until `read()`. */
  readonly stalls?: boolean;
}

/** One request on a connection of its own. */
export function send(
  base: string,
  { method = "POST", path = "/v1/chat/completions", secret, headers, body, stalls = false }: RawRequest,
): RawExchange {
  const bytes = body === undefined || typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const request = httpRequest(`${base}${path}`, {
    method,
    agent: false,
    headers: {
      ...(secret === undefined ? {} : { authorization: `Bearer ${secret}` }),
      ...(bytes === undefined
        ? {}
        : { "content-type": "application/json", "content-length": Buffer.byteLength(bytes) }),
      ...headers,
    },
  });
  let text = "";
  let response: IncomingMessage | undefined;
  const answer = new Promise<RawAnswer>((resolve, reject) => {
    request.on("error", reject);
    request.on("response", (arrived) => {
      response = arrived;
      arrived.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      if (stalls) arrived.pause();
      arrived.on("error", () => undefined);
      arrived.on("close", () =>
        resolve({ status: arrived.statusCode ?? 0, headers: arrived.headers, text, broken: !arrived.complete }),
      );
    });
  });
  // Whoever leaves on purpose does not await the answer.
  answer.catch(() => undefined);
  request.end(bytes);
  return {
    answer,
    text: () => text,
    status: () => response?.statusCode,
    sees: async (wanted) => void (await until(`${JSON.stringify(wanted)} in the answer`, () => text.includes(wanted))),
    read: () => void response?.resume(),
    leave: () => void request.destroy(),
  };
}

/** One request whose answer is read as fast as it comes and thrown away, but for its last bytes. */
export function swallow(base: string, { path = "/v1/chat/completions", secret, body }: RawRequest) {
  const bytes = JSON.stringify(body);
  const headers = { authorization: `Bearer ${secret}`, "content-length": Buffer.byteLength(bytes) };
  const request = httpRequest(`${base}${path}`, { method: "POST", agent: false, headers });
  let readBytes = 0;
  let tail = "";
  const answer = new Promise<{ readBytes: number; tail: string }>((resolve, reject) => {
    request.on("error", reject);
    request.on("response", (response) => {
      response.on("data", (chunk: Buffer) => {
        readBytes += chunk.length;
        tail = (tail + chunk.toString("latin1", Math.max(0, chunk.length - 1_024))).slice(-1_024);
      });
      response.on("close", () => resolve({ readBytes, tail }));
    });
  });
  request.end(bytes);
  return { answer, readBytes: () => readBytes };
}

/** Bytes as they are, on one connection, and all that comes back until the other side closes it. */
export async function sendBytes(base: string, bytes: string | Buffer): Promise<string> {
  const { hostname, port } = new URL(base);
  const socket = connect(Number(port), hostname).setEncoding("utf8");
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  socket.on("error", () => undefined);
  socket.write(bytes);
  await once(socket, "close");
  return text;
}

const STEP_BYTES = 65_536;

/**
 * As a proxy does: sends the head, has the answer, and sends the body all the same; then leaves.
 * Errors: when the connection was closed or reset before the whole body was sent.
 */
export async function sendRegardless(base: string, head: string, body: Buffer): Promise<string> {
  const { socket, text, write } = stubborn(base);
  await write(head);
  await until("the answer", () => /\r\n\r\n./s.test(text()));
  for (let from = 0; from < body.length; from += STEP_BYTES) await write(body.subarray(from, from + STEP_BYTES));
  socket.end();
  await once(socket, "close");
  return text();
}

/** Sends the same chunk for ever. Resolves when the other side cuts it, with what it answered and how much it had taken. */
export async function sendEndlessly(base: string, head: string): Promise<{ text: string; sentBytes: number }> {
  const { socket, text, write } = stubborn(base);
  const chunk = Buffer.from(`${STEP_BYTES.toString(16)}\r\n${"x".repeat(STEP_BYTES)}\r\n`);
  let sentBytes = 0;
  await write(head);
  try {
    for (;;) {
      await write(chunk);
      sentBytes += chunk.length;
    }
  } catch {
    socket.destroy();
    return { text: text(), sentBytes };
  }
}

/** Goes on writing when the other side has ended. */
function stubborn(base: string) {
  const { hostname, port } = new URL(base);
  const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true }).setEncoding("utf8");
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  socket.on("error", () => undefined);
  const write = (bytes: string | Buffer) =>
    new Promise<void>((resolve, reject) => socket.write(bytes, (error) => (error ? reject(error) : resolve())));
  return { socket, text: () => text, write };
}

/** The parsed events of a stream, `[DONE]` as itself. */
export function eventsOf(text: string): (Record<string, unknown> | "[DONE]")[] {
  return text
    .split("\n\n")
    .filter((part) => part !== "")
    .map((part) => part.replace(/^data: /, ""))
    .map((part) => (part === "[DONE]" ? part : (JSON.parse(part) as Record<string, unknown>)));
}
