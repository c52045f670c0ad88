/** POST /v1/completions: the older form, with its several prompts and its answers that are not shown. */
import { asRecord, parseObject } from "../json-bytes";
import { chunkStream } from "./chunk-events";
import type { InferenceRequest, Operation } from "./operation";
import { readPrompts } from "./prompts";
import { rewriteRequest } from "./request-edits";
import {
  bytesOf,
  estimateTokens,
  readBoolean,
  readCount,
  readIncludeUsage,
  readModel,
  scanBody,
} from "./request-fields";

/** OpenAI's own limits; `best_of` has a lower one there, other servers take more. */
const CHOICES_MAX = 128;
/** Clients of this form leave the limit out and mean OpenAI's default: without it a base model writes on to the end. */
const MAX_TOKENS_DEFAULT = 16;
const limitFields = ["max_tokens"] as const;
const readFields: ReadonlySet<string> = new Set([
  ...limitFields,
  "prompt",
  "suffix",
  "model",
  "stream",
  "stream_options",
  "n",
  "best_of",
]);

export const completions: Operation = {
  path: "/v1/completions",
  promptField: "prompt",
  limitField: "max_tokens",
  maxTokensDefault: MAX_TOKENS_DEFAULT,
  scan: scanCompletion,
  rewrite: (body, request, edits) => rewriteRequest(body, request, edits, limitFields),
  readWhole(body) {
    const answer = parseObject(body.toString());
    if (answer === null || !Array.isArray(answer.choices)) return null;
    let deliveredBytes = 0;
    for (const choice of answer.choices) {
      const text = asRecord(choice)?.text;
      if (typeof text === "string") deliveredBytes += Buffer.byteLength(text);
    }
    return { usage: answer.usage, deliveredBytes };
  },
  stream: chunkStream,
  rename: (bytes, name) => name.replaceIn(bytes),
};

function scanCompletion(body: Buffer): InferenceRequest {
  const { fields, superseded, insertAt } = scanBody(body, readFields);
  const prompts = readPrompts(body, fields.get("prompt"), "prompt");
  const suffixBytes = bytesOf(fields, ["suffix"]);
  const n = readCount(body, fields.get("n"), "n", { min: 1, max: CHOICES_MAX }) ?? 1;
  const bestOf = readCount(body, fields.get("best_of"), "best_of", { min: 1, max: CHOICES_MAX }) ?? n;
  const request: InferenceRequest = {
    operation: completions,
    stream: readBoolean(body, fields.get("stream"), "stream"),
    includeUsage: readIncludeUsage(body, fields.get("stream_options")),
    choices: prompts.count * Math.max(n, bestOf),
    hidesOutput: bestOf > n,
    promptBytes: prompts.bytes + prompts.count * suffixBytes,
    promptTokensEstimate: prompts.longestTokensEstimate + estimateTokens(suffixBytes),
    fields,
    superseded,
    insertAt,
  };
  const model = readModel(body, fields.get("model"));
  if (model !== undefined) request.model = model;
  // 0 is what asks, with `echo`, for the likelihood of the prompt alone.
  const maxTokens = readCount(body, fields.get("max_tokens"), "max_tokens", { min: 0 });
  if (maxTokens !== undefined) request.maxTokens = maxTokens;
  return request;
}
