/** POST /v1/chat/completions, streamed or whole. */
import { randomUUID } from "node:crypto";
import { type Answer, answer, chatTokens, type Message } from "./generation";
import { type Generation, stream, whole } from "./paced";
import { limitOf, Refused, roomAfter } from "./wire";

export interface ChatRequest {
  model: string;
  messages: Message[];
  stream?: boolean;
  stream_options?: { include_usage?: boolean };
  max_tokens?: number | null;
  max_completion_tokens?: number | null;
  n?: number | null;
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
  const room = roomAfter(promptTokens, model.contextLength);
  const limit = limitOf(body.max_completion_tokens ?? body.max_tokens, "max_tokens") ?? room;

  const text = answer(body.messages, Math.min(limit, room));
  const usage = JSON.stringify({
    prompt_tokens: promptTokens,
    completion_tokens: text.tokens,
    total_tokens: promptTokens + text.tokens,
  });
  const ids = `"id":"chatcmpl-${randomUUID()}","created":${Math.floor(Date.now() / 1000)},"model":${JSON.stringify(model.id)}`;
  if (body.stream) tell(text, ids, body.stream_options?.include_usage ? usage : undefined, generation);
  else {
    const message = `{"role":"assistant","content":"${text.whole()}","refusal":null}`;
    const choice = `{"index":0,"message":${message},"logprobs":null,"finish_reason":"${text.finishReason}"}`;
    whole(text.tokens, `{${ids},"object":"chat.completion","choices":[${choice}],"usage":${usage}}`, generation);
  }
  return promptTokens;
}

function tell(text: Answer, ids: string, usage: string | undefined, generation: Generation): void {
  // A chunk differs from its neighbours in one word only: the rest is built once.
  const head = `data: {${ids},"object":"chat.completion.chunk","choices":[`;
  const tail = `]${usage ? ',"usage":null' : ""}}\n\n`;
  const choice = (delta: string, finish: string) =>
    `${head}{"index":0,"delta":${delta},"logprobs":null,"finish_reason":${finish}}${tail}`;
  const [beforeWord = "", afterWord = ""] = choice('{"content":"\u0000"}', "null").split("\u0000");
  const usageChunk = usage ? `${head}],"usage":${usage}}\n\n` : "";
  stream(
    {
      tokens: text.tokens,
      begin: choice('{"role":"assistant","content":""}', "null"),
      token: (index) => beforeWord + text.chunk(index) + afterWord,
      end: () => `${choice("{}", `"${text.finishReason}"`)}${usageChunk}data: [DONE]\n\n`,
    },
    generation,
  );
}
