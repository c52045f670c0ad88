/** A provider in the test's own process: it writes down what reaches it, and the test may step in at any moment of an answer. */
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { Identity } from "../../src/upstreams/certificates";

/** One request that was dispatched to a provider. */
export interface Dispatched {
  readonly requestId: string;
  /** By which the client that asked knows it. */
  readonly marker: string;
}

/** What happens in the course of the answers. The process is one: whoever is called stops it from going on meanwhile. */
export interface Scene {
  /** A connection has come, whose handshake has not begun. */
  connecting?(): void;
  /** A request was read, to which nothing was written. */
  dispatched?(request: Dispatched): void;
  /** After the first words, or before an answer that is not streamed. */
  readonly interval?: Promise<unknown>;
  lastByteWritten?(): void;
}

export const WORDS = ["wide", "wind", "wake", "wren", "wood"];

export class StagedProvider {
  readonly dispatched: Dispatched[] = [];
  private scene: Scene = {};
  private server: Server;
  url = "";

  constructor(
    private readonly its: { tls: Identity; clientCaPem: string; thinkingMs: () => number; keepsConnections: boolean },
  ) {}

  async listen(): Promise<void> {
    const { tls, clientCaPem } = this.its;
    const mutual = { ca: clientCaPem, requestCert: true, rejectUnauthorized: true };
    this.server = createServer({ cert: tls.certPem, key: tls.keyPem, ...mutual }, (request, response) => {
      // A relay that is killed in the middle is what this is for.
      void this.answer(request, response).catch(() => response.destroy());
    });
    this.server.on("connection", () => this.scene.connecting?.());
    this.server.on("tlsClientError", () => undefined);
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    this.url = `https://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  play(scene: Scene): void {
    this.scene = scene;
  }

  async close(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, "close");
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { messages, stream } = JSON.parse(Buffer.concat(chunks).toString()) as Asked;
    const dispatched = { requestId: String(request.headers["x-request-id"]), marker: messages[0]!.content };
    this.dispatched.push(dispatched);
    const { scene } = this;
    scene.dispatched?.(dispatched);
    if (!this.its.keepsConnections) response.setHeader("connection", "close");
    await new Promise((resolve) => setTimeout(resolve, this.its.thinkingMs()));
    if (stream) await writeStream(response, scene);
    else {
      await scene.interval;
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(whole()), () => scene.lastByteWritten?.());
    }
  }
}

interface Asked {
  readonly messages: readonly { readonly content: string }[];
  readonly stream?: boolean;
}

async function writeStream(response: ServerResponse, { interval, lastByteWritten }: Scene): Promise<void> {
  response.setHeader("content-type", "text/event-stream");
  for (const [index, word] of WORDS.entries()) {
    response.write(event({ choices: [{ index: 0, delta: { content: `${word} ` }, finish_reason: null }] }));
    await new Promise((resolve) => setImmediate(resolve));
    if (index === 0) await interval;
  }
  response.write(event({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }));
  response.write(event({ choices: [], usage }));
  response.end("data: [DONE]\n\n", () => lastByteWritten?.());
}

const usage = { prompt_tokens: 9, completion_tokens: WORDS.length, total_tokens: 9 + WORDS.length };
const frame = { id: "chatcmpl-staged", created: 0, model: "staged" };
const event = (chunk: object): string =>
  `data: ${JSON.stringify({ ...frame, object: "chat.completion.chunk", ...chunk })}\n\n`;
const whole = (): object => ({
  ...frame,
  object: "chat.completion",
  choices: [{ index: 0, message: { role: "assistant", content: WORDS.join(" ") }, finish_reason: "stop" }],
  usage,
});
