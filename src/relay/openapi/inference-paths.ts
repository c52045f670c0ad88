/** The routes that go to a provider: of each the fields that the relay reads or changes; all others pass byte for byte. */

import { errorAnswers, everywhere, inferenceErrors } from "./errors";
import { answerHeaders, inferenceErrorHeaders, inferenceHeaders } from "./headers";
import { requestSchemas } from "./request-schemas";
import { open, type Parameter, type PathOperation, type Paths, type Schema, schemaRef } from "./shapes";

const count: Schema = { type: "integer", minimum: 0 };
const tokens = open({ prompt_tokens: count, completion_tokens: count, total_tokens: count }, ["prompt_tokens"]);
const list: Schema = { type: "array", items: { type: "object" } };

/** What every provider's answer has; the rest is the provider's. */
const answerSchemas: Readonly<Record<string, Schema>> = {
  ChatCompletion: open({ model: { type: "string" }, choices: list, usage: tokens }, ["choices"]),
  Completion: open({ model: { type: "string" }, choices: list, usage: tokens }, ["choices"]),
  Embeddings: open({ model: { type: "string" }, data: list, usage: tokens }, ["data"]),
  Response: open(
    {
      model: { type: "string" },
      status: { type: "string" },
      output: list,
      usage: open({ input_tokens: count, output_tokens: count, total_tokens: count }),
    },
    ["output"],
  ),
};

export const inferenceSchemas: Readonly<Record<string, Schema>> = { ...requestSchemas, ...answerSchemas };

const chunks =
  "Server-sent events as they arrive; comments (`: keep-alive`) fill silences. The chunk with `usage` is there if `stream_options.include_usage` is true. " +
  '`data: [DONE]` follows when the charge is recorded. A stream that breaks off ends with `data: {"error": …}` and without `[DONE]`.';
const events =
  "Typed server-sent events as they arrive; comments (`: keep-alive`) fill silences. The last one, `response.completed`, `response.incomplete` or `response.failed`, " +
  "follows when the charge is recorded. A stream that breaks off ends with an event of type `error`, or `response.failed` if the provider said so.";

interface Told {
  readonly operationId: string;
  readonly summary: string;
  readonly request: string;
  readonly answer: string;
  readonly stream?: string;
  readonly description?: string;
  readonly example: object;
}

const idempotencyKey: Parameter = {
  name: "Idempotency-Key",
  in: "header",
  description:
    "1 to 255 visible ASCII characters, kept for 24 h: a repeat of the request gets its answer again and is not charged. The same key with another body is refused.",
  schema: { type: "string", maxLength: 255 },
};

function told({ operationId, summary, description, request, answer, stream, example }: Told): PathOperation {
  const whole = { "application/json": { schema: schemaRef(answer) } };
  const streamed =
    stream === undefined ? {} : { "text/event-stream": { schema: { type: "string", description: stream } } };
  return {
    operationId,
    summary,
    ...(description === undefined ? {} : { description }),
    tags: ["Inference"],
    parameters: [idempotencyKey],
    requestBody: { required: true, content: { "application/json": { schema: schemaRef(request), example } } },
    responses: {
      "200": {
        description: "The provider's bytes, with the marketplace's name of the model in the place of its own.",
        headers: answerHeaders(...inferenceHeaders),
        content: { ...whole, ...streamed },
      },
      ...errorAnswers([...everywhere, ...inferenceErrors], inferenceErrorHeaders),
    },
  };
}

export const inferencePaths: Paths = {
  "/v1/chat/completions": {
    post: told({
      operationId: "createChatCompletion",
      summary: "Answer a conversation",
      request: "ChatCompletionRequest",
      answer: "ChatCompletion",
      stream: chunks,
      example: { model: "acme/chat-8b", messages: [{ role: "user", content: "Hello" }], max_tokens: 32 },
    }),
  },
  "/v1/completions": {
    post: told({
      operationId: "createCompletion",
      summary: "Go on with a text",
      request: "CompletionRequest",
      answer: "Completion",
      stream: chunks,
      example: { model: "acme/chat-8b", prompt: "Once upon a time", max_tokens: 32 },
    }),
  },
  "/v1/embeddings": {
    post: told({
      operationId: "createEmbeddings",
      summary: "Vectors of texts",
      description: "Charged for the prompt's tokens alone; an empty list of vectors costs nothing.",
      request: "EmbeddingsRequest",
      answer: "Embeddings",
      example: { model: "acme/chat-8b", input: ["Hello", "world"] },
    }),
  },
  "/v1/responses": {
    post: told({
      operationId: "createResponse",
      summary: "Answer what the request itself holds",
      description:
        "What needs a provider that remembers is refused, because any may serve the next request: `previous_response_id`, `conversation`, `prompt`, items of type `item_reference`, `background: true`.",
      request: "ResponseRequest",
      answer: "Response",
      stream: events,
      example: { model: "acme/chat-8b", input: "Hello", max_output_tokens: 32 },
    }),
  },
};
