/** The fields of requests that the relay reads, with the bounds that it holds them to. */
import { open, type Schema } from "./shapes";

const model: Schema = { type: "string", maxLength: 1_024, description: "As `/v1/models` names it." };
const stream: Schema = { type: ["boolean", "null"] };
const streamOptions: Schema = {
  type: ["object", "null"],
  properties: { include_usage: { type: ["boolean", "null"], description: "Always true for the provider." } },
  additionalProperties: true,
};
const choices: Schema = { type: ["integer", "null"], minimum: 1, maximum: 128 };
const limit = (minimum: number, absent: string): Schema => ({
  type: ["integer", "null"],
  minimum,
  description: `Tokens of output; the provider is always told a limit. Left out: ${absent}.`,
});
const most = "as much as the offerings and the credit allow";
const texts = (description: string): Schema => ({
  description,
  oneOf: [
    { type: "string" },
    { type: "array", minItems: 1, items: { type: "string" } },
    { type: "array", minItems: 1, items: { type: "integer" } },
    { type: "array", minItems: 1, items: { type: "array", items: { type: "integer" } } },
  ],
});
const items: Schema = { type: "array", minItems: 1, items: { type: "object" } };

export const requestSchemas: Readonly<Record<string, Schema>> = {
  ChatCompletionRequest: open(
    {
      model,
      messages: items,
      tools: { type: ["array", "null"] },
      stream,
      stream_options: streamOptions,
      n: choices,
      max_tokens: limit(1, most),
      max_completion_tokens: limit(1, most),
    },
    ["model", "messages"],
  ),
  CompletionRequest: open(
    {
      model,
      prompt: texts("One text or several, or their tokens."),
      suffix: { type: ["string", "null"] },
      stream,
      stream_options: streamOptions,
      n: choices,
      best_of: choices,
      max_tokens: limit(0, "16"),
    },
    ["model", "prompt"],
  ),
  EmbeddingsRequest: open({ model, input: texts("One text or several, or their tokens.") }, ["model", "input"]),
  ResponseRequest: open(
    {
      model,
      input: { oneOf: [{ type: "string" }, items] },
      instructions: { type: ["string", "null"] },
      tools: { type: ["array", "null"] },
      stream,
      max_output_tokens: limit(1, most),
      previous_response_id: { type: "null" },
      conversation: { type: "null" },
      prompt: { type: "null" },
      background: { enum: [false, null] },
    },
    ["model", "input"],
  ),
};
