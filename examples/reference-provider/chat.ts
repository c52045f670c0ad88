/** POST /v1/chat/completions, streamed or whole, at the pace of a GPU, stopping at once when the client goes away. */
import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { Behaviour } from "./faults";
import { type Answer, answer, chatTokens, type Message, type Model } from "./generation";
import { Refused } from "./wire";

export interface ChatRequest {
  model: string;
  messages: Message[];
  stream?: boolean;
  stream_options?: { include_usage?: boolean };
  max_tokens?: number | null;
  max_completion_tokens?: number | null;
  n?: number | null;
}

export interface Generation {
  response: ServerResponse;
  model: Model;
  /** False: as fast as possible. */
  pace: boolean;
  behaviour: Behaviour;
  /** Told once for each token as it is made. */
  onTokens(count: number): void;
}

/** Starts the answer and returns the prompt's tokens; refuses a bad request before a byte is written. */
export function completeChat(body: ChatRequest, generation: Generation): number {
  const { model } = generation;
  if (
    !Array.isArray(body.messages) ||
    body.messages.length === 0 ||
    !body.messages.every((m) => m && typeof m === "object")
  ) {
    throw new Refused(400, "invalid_messages", "messages must be a list with at least one message.");
  }
  if ((body.n ?? 1) !== 1) throw new Refused(400, "unsupported_n", "Only n = 1 is supported.");
  const promptTokens = chatTokens(body.messages);
  const room = model.contextLength - promptTokens;
  if (room < 1) {
    throw new Refused(
      400,
      "context_length_exceeded",
      `The prompt is ${promptTokens} tokens, the context ${model.contextLength}.`,
    );
  }
  const limit = body.max_completion_tokens ?? body.max_tokens ?? room;
  if (!Number.isInteger(limit) || limit < 1)
    throw new Refused(400, "invalid_max_tokens", "max_tokens must be a whole number above 0.");

  const text = answer(body.messages, Math.min(limit, room));
  const usage = JSON.stringify({
    prompt_tokens: promptTokens,
    completion_tokens: text.tokens,
    total_tokens: promptTokens + text.tokens,
  });
  const ids = `"id":"chatcmpl-${randomUUID()}","created":${Math.floor(Date.now() / 1000)},"model":${JSON.stringify(model.id)}`;
  if (body.stream) stream(text, ids, body.stream_options?.include_usage ? usage : undefined, generation);
  else whole(text, ids, usage, generation);
  return promptTokens;
}

function stream(
  text: Answer,
  ids: string,
  usage: string | undefined,
  { response, model, pace, behaviour, onTokens }: Generation,
): void {
  // A chunk differs from its neighbours in one word only: the rest is built once.
  const head = `data: {${ids},"object":"chat.completion.chunk","choices":[`;
  const tail = `]${usage ? ',"usage":null' : ""}}\n\n`;
  const choice = (delta: string, finish: string) =>
    `${head}{"index":0,"delta":${delta},"logprobs":null,"finish_reason":${finish}}${tail}`;
  const [beforeWord = "", afterWord = ""] = choice('{"content":"\u0000"}', "null").split("\u0000");

  const startedAtMs = performance.now();
  const dueAtMs = (index: number) =>
    pace ? startedAtMs + model.timeToFirstTokenMs + (index * 1000) / model.decodeTokensPerSecond : startedAtMs;
  let timer: NodeJS.Timeout | undefined;
  let next = 0;

  const faultDue = (): boolean => {
    if (!("afterChunks" in behaviour) || next < Math.min(behaviour.afterChunks ?? 0, text.tokens)) return false;
    if (behaviour.mode === "cut") response.socket?.destroySoon(); // What was written leaves first.
    return true;
  };
  const end = () => {
    response.write(choice("{}", `"${text.finishReason}"`));
    if (usage) response.write(`${head}],"usage":${usage}}\n\n`);
    response.end("data: [DONE]\n\n");
  };
  const pump = (): void => {
    // Due times are absolute: a late timer sends what has become due together and the pace does not drift.
    for (; next < text.tokens; next++) {
      if (response.destroyed || faultDue()) return;
      const waitMs = dueAtMs(next) - performance.now();
      if (waitMs > 0) {
        timer = setTimeout(pump, waitMs);
        return;
      }
      if (next === 0) {
        response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
        response.write(choice('{"role":"assistant","content":""}', "null"));
      }
      onTokens(1);
      if (!response.write(beforeWord + text.chunk(next) + afterWord)) {
        next++;
        // Back-pressure: a reader that does not keep up stops the generation instead of filling our memory.
        response.once("drain", pump);
        return;
      }
    }
    if (!faultDue()) end();
  };
  response.once("close", () => clearTimeout(timer));
  pump();
}

function whole(
  text: Answer,
  ids: string,
  usage: string,
  { response, model, pace, behaviour, onTokens }: Generation,
): void {
  const startedAtMs = performance.now() + model.timeToFirstTokenMs;
  const durationMs = model.timeToFirstTokenMs + (text.tokens * 1000) / model.decodeTokensPerSecond;
  const send = () => {
    let content = "";
    for (let index = 0; index < text.tokens; index++) content += text.chunk(index);
    onTokens(text.tokens);
    const body = `{${ids},"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"${content}","refusal":null},"logprobs":null,"finish_reason":"${text.finishReason}"}],"usage":${usage}}`;
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
    if (behaviour.mode !== "cut") return response.end(body);
    response.write(body.slice(0, body.length / 2));
    response.socket?.destroySoon();
  };
  if (!pace) return void send();
  const timer = setTimeout(send, durationMs);
  response.once("close", () => {
    clearTimeout(timer);
    if (response.writableEnded || response.headersSent) return;
    const made = Math.floor(((performance.now() - startedAtMs) / 1000) * model.decodeTokensPerSecond);
    onTokens(Math.max(0, Math.min(made, text.tokens)));
  });
}
