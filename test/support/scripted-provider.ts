/** A provider at the level of bytes: a bare TLS server that answers what a test writes, well-formed or not. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type TLSSocket } from "node:tls";

export interface ScriptedRequest {
  /** Request line and headers, as they came. */
  readonly head: string;
  readonly body: string;
  readonly socket: TLSSocket;
}

/** Answers one request by writing to its socket. */
export type Script = (request: ScriptedRequest) => void;

export interface ScriptedProvider {
  readonly url: string;
  readonly port: number;
  /** Everything that was asked, oldest first. */
  readonly requests: ScriptedRequest[];
  readonly sockets: ReadonlySet<TLSSocket>;
  play(script: Script): void;
  close(): Promise<void>;
}

export async function startScriptedProvider(options: {
  tls: { certPem: string; keyPem: string };
  clientCaPem: string;
}): Promise<ScriptedProvider> {
  const { certPem: cert, keyPem: key } = options.tls;
  const requests: ScriptedRequest[] = [];
  const sockets = new Set<TLSSocket>();
  let script: Script = ({ socket }) => socket.destroy();
  const server = createServer({ cert, key, ca: options.clientCaPem, requestCert: true, rejectUnauthorized: true });
  server.on("secureConnection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
    let waiting = "";
    socket.setEncoding("latin1").on("data", (text: string) => {
      waiting += text;
      for (let request = cut(waiting); request !== null; request = cut(waiting)) {
        waiting = waiting.slice(request.bytes);
        const asked = { head: request.head, body: Buffer.from(request.body, "latin1").toString(), socket };
        requests.push(asked);
        script(asked);
      }
    });
  });
  // What fails a handshake is the caller's business.
  server.on("tlsClientError", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}`,
    port,
    requests,
    sockets,
    play(next) {
      script = next;
    },
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** The first whole request in `text`, or null. */
function cut(text: string): { head: string; body: string; bytes: number } | null {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd === -1) return null;
  const head = text.slice(0, headEnd);
  const bodyBytes = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
  const bytes = headEnd + 4 + bodyBytes;
  return text.length < bytes ? null : { head, body: text.slice(headEnd + 4, bytes), bytes };
}

/** A whole answer with its length. */
export function httpAnswer(status: string, body: string, headers: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries({
    "content-type": "application/json",
    ...headers,
    "content-length": Buffer.byteLength(body),
  });
  return `HTTP/1.1 ${status}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`;
}

/** A completion that says `content`; `usage` as the provider claims it. */
export function completion(content: string, more: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    id: "chatcmpl-scripted",
    object: "chat.completion",
    created: 0,
    model: "scripted",
    choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }],
    usage: { prompt_tokens: 9, completion_tokens: content === "" ? 0 : 2, total_tokens: 11 },
    ...more,
  });
}

/** The head of a stream, and one event of it. */
export const streamHead = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
export const event = (chunk: unknown): string =>
  `data: ${typeof chunk === "string" ? chunk : JSON.stringify(chunk)}\n\n`;
export const delta = (content: string, more: Readonly<Record<string, unknown>> = {}): string =>
  event({
    id: "chatcmpl-scripted",
    object: "chat.completion.chunk",
    created: 0,
    model: "scripted",
    choices: [{ index: 0, delta: { content }, finish_reason: null }],
    ...more,
  });
