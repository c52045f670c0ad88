/** POST /v1/responses: the typed form, streamed as events or whole. Nothing is kept, so nothing can be referred to. */
import { randomUUID } from "node:crypto";
import { type Answer, answer, chatTokens, type Message } from "./generation";
import { type Generation, stream, whole } from "./paced";
import { limitOf, Refused, roomAfter } from "./wire";

export interface ResponsesRequest {
  model: string;
  input: string | Message[];
  instructions?: string | null;
  stream?: boolean;
  max_output_tokens?: number | null;
}

/** As completeChat. */
export function respond(body: ResponsesRequest, generation: Generation): number {
  const { model } = generation;
  const messages = messagesOf(body);
  const promptTokens = chatTokens(messages);
  const room = roomAfter(promptTokens, model.contextLength);
  const text = answer(messages, Math.min(limitOf(body.max_output_tokens, "max_output_tokens") ?? room, room));
  const response = {
    id: `resp_${randomUUID()}`,
    object: "response",
    created_at: Math.floor(Date.now() / 1000),
    model: model.id,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    error: null,
    parallel_tool_calls: true,
    tool_choice: "auto",
    tools: [],
    metadata: {},
  };
  const cut = text.finishReason === "length";
  const item = { id: `msg_${randomUUID()}`, type: "message", role: "assistant" };
  const part = { type: "output_text", text: text.whole(), annotations: [] };
  const status = cut ? "incomplete" : "completed";
  const full = {
    ...response,
    status,
    incomplete_details: cut ? { reason: "max_output_tokens" } : null,
    output: [{ ...item, status, content: [part] }],
    usage: {
      input_tokens: promptTokens,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: text.tokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: promptTokens + text.tokens,
    },
  };
  if (!body.stream) whole(text.tokens, JSON.stringify(full), generation);
  else {
    const started = { ...response, status: "in_progress", incomplete_details: null, output: [], usage: null };
    tell(text, { started, full, item, part }, generation);
  }
  return promptTokens;
}

function messagesOf({ input, instructions }: ResponsesRequest): Message[] {
  const system = instructions ? [{ role: "system", content: instructions }] : [];
  if (typeof input === "string") return [...system, { role: "user", content: input }];
  if (!Array.isArray(input) || input.length === 0 || !input.every((item) => item && typeof item === "object"))
    throw new Refused(400, "invalid_input", "input must be a text or a list of items.");
  return [...system, ...input];
}

interface Parts {
  started: object;
  full: { status: string };
  item: { id: string };
  part: { text: string };
}

function tell(text: Answer, { started, full, item, part }: Parts, generation: Generation): void {
  let sequence = 0;
  const event = (type: string, fields: object) =>
    `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence++, ...fields })}\n\n`;
  const place = { item_id: item.id, output_index: 0, content_index: 0 };
  const begin = [
    event("response.created", { response: started }),
    event("response.in_progress", { response: started }),
    event("response.output_item.added", { output_index: 0, item: { ...item, status: "in_progress", content: [] } }),
    event("response.content_part.added", { ...place, part: { ...part, text: "" } }),
  ].join("");
  const token = (index: number) =>
    event("response.output_text.delta", { ...place, delta: text.chunk(index), logprobs: [] });
  const end = () =>
    [
      event("response.output_text.done", { ...place, text: part.text, logprobs: [] }),
      event("response.content_part.done", { ...place, part }),
      event("response.output_item.done", { output_index: 0, item: { ...item, status: full.status, content: [part] } }),
      event(`response.${full.status}`, { response: full }),
    ].join("");
  stream({ tokens: text.tokens, begin, token, end }, generation);
}
