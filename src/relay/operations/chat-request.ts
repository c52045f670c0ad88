/** Reads the few fields of a chat request that the relay needs, without parsing the body whole. */
import { type ByteRange, skipWhitespace } from "../json-members";
import type { InferenceRequest, Operation } from "./operation";
import {
  bytesOf,
  estimateTokens,
  InvalidField,
  readBoolean,
  readCount,
  readIncludeUsage,
  readModel,
  scanBody,
} from "./request-fields";

/** OpenAI's own limit. */
const CHOICES_MAX = 128;
/** Where neither is given, the last one is set. */
export const chatLimitFields = ["max_completion_tokens", "max_tokens"] as const;
/** Besides the messages, templates render these too: a request with tools has far more prompt than its messages. */
const promptFields = ["messages", "tools", "functions", "response_format"] as const;
const readFields: ReadonlySet<string> = new Set([
  ...promptFields,
  ...chatLimitFields,
  "model",
  "stream",
  "stream_options",
  "n",
]);

export function scanChatRequest(body: Buffer, operation: Operation): InferenceRequest {
  const { fields, superseded, insertAt } = scanBody(body, readFields);
  requireMessages(body, fields.get("messages"));
  const promptBytes = bytesOf(fields, promptFields);
  const request: InferenceRequest = {
    operation,
    stream: readBoolean(body, fields.get("stream"), "stream"),
    includeUsage: readIncludeUsage(body, fields.get("stream_options")),
    choices: readCount(body, fields.get("n"), "n", { min: 1, max: CHOICES_MAX }) ?? 1,
    hidesOutput: false,
    promptBytes,
    promptTokensEstimate: estimateTokens(promptBytes),
    fields,
    superseded,
    insertAt,
  };
  // Assigned, not spread: two spreads cost 4 µs, more than all the scanning of a small body.
  const model = readModel(body, fields.get("model"));
  if (model !== undefined) request.model = model;
  const maxTokens = readMaxTokens(body, fields);
  if (maxTokens !== undefined) request.maxTokens = maxTokens;
  return request;
}

function requireMessages(body: Buffer, range: ByteRange | undefined): void {
  if (range === undefined) throw new InvalidField("messages", "`messages` is required.");
  if (body[range.start] !== 0x5b) throw new InvalidField("messages", "`messages` must be an array of messages.");
  if (skipWhitespace(body, range.start + 1) === range.end - 1) {
    throw new InvalidField("messages", "`messages` must hold at least one message.");
  }
}

function readMaxTokens(body: Buffer, fields: ReadonlyMap<string, ByteRange>): number | undefined {
  let highest: number | undefined;
  for (const key of chatLimitFields) {
    const limit = readCount(body, fields.get(key), key, { min: 1 });
    if (limit !== undefined) highest = Math.max(highest ?? 0, limit);
  }
  return highest;
}
