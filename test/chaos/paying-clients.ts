/** Clients of the relays on sockets of their own, each of which writes down what it was told of every request. */
import { request as httpRequest, type IncomingMessage } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { newId } from "../../src/platform/ids";
import { WORDS } from "./staged-provider";

export interface PayingStartup {
  readonly id: string;
  readonly secret: string;
}

/** What a client knows of one request of its own. */
export interface Asked {
  /** Its prompt. */
  readonly marker: string;
  readonly startupId: string;
  readonly streamed: boolean;
  /** Null while nothing came back. */
  status: number | null;
  requestId: string | null;
  /** It saw `[DONE]`, or the whole of an answer that is not streamed. */
  complete: boolean;
  text: string;
}

/** Moments at the client, told before anything else happens in this process. */
export interface Watch {
  firstContent?(): void;
  complete?(): void;
}

export interface Question {
  readonly startup: PayingStartup;
  readonly model: string;
  readonly streamed: boolean;
  readonly maxTokens: number;
}

export class PayingClients {
  readonly asked: Asked[] = [];

  /** Resolves when the answer is over, whichever way; never rejects. */
  ask(relayUrl: string, { startup, model, streamed, maxTokens }: Question, watch: Watch = {}): Promise<Asked> {
    const asked: Asked = {
      marker: `Request ${newId()}`,
      startupId: startup.id,
      streamed,
      status: null,
      requestId: null,
      complete: false,
      text: "",
    };
    this.asked.push(asked);
    const messages = [{ role: "user", content: asked.marker }];
    const body = JSON.stringify({ model, messages, stream: streamed, max_tokens: maxTokens });
    const headers = { authorization: `Bearer ${startup.secret}`, "content-type": "application/json" };
    return new Promise((resolve) => {
      const request = httpRequest(`${relayUrl}/chat/completions`, { method: "POST", agent: false, headers });
      request.on("response", (response) => {
        follow(response, asked, watch);
        response.on("close", () => resolve(asked));
      });
      request.on("error", () => {
        if (asked.status === null) resolve(asked);
      });
      request.end(body);
    });
  }

  /** `count` clients ask one thing after the other until `stop`, each of whichever relay is up. */
  load(count: number, next: () => { relayUrl: string; question: Question } | null, pauseMs: () => number) {
    let stopped = false;
    const client = async () => {
      while (!stopped) {
        const turn = next();
        if (turn !== null) await this.ask(turn.relayUrl, turn.question);
        await pause(pauseMs());
      }
    };
    const all = Promise.all(Array.from({ length: count }, client));
    return {
      stop: async (): Promise<void> => {
        stopped = true;
        await all;
      },
    };
  }
}

function follow(response: IncomingMessage, asked: Asked, watch: Watch): void {
  asked.status = response.statusCode ?? null;
  asked.requestId = (response.headers["x-request-id"] as string | undefined) ?? null;
  let content = false;
  const completed = () => {
    if (asked.complete) return;
    asked.complete = true;
    watch.complete?.();
  };
  response.setEncoding("utf8").on("data", (chunk: string) => {
    asked.text += chunk;
    if (!content && asked.text.includes(WORDS[0]!)) {
      content = true;
      watch.firstContent?.();
    }
    if (asked.streamed && asked.text.endsWith("data: [DONE]\n\n")) completed();
  });
  response.on("end", () => {
    if (!asked.streamed && response.complete && response.statusCode === 200) completed();
  });
  response.on("error", () => undefined);
}
