/** Reads the few fields of a request for a response, and refuses what would need a provider that remembers earlier ones. */
import { asRecord, parseObject } from "../json-bytes";
import { type ByteRange, scanItems } from "../json-members";
import type { InferenceRequest, Operation } from "./operation";
import {
  bytesOf,
  estimateTokens,
  InvalidField,
  isAbsent,
  readBoolean,
  readCount,
  readModel,
  scanBody,
} from "./request-fields";

export const responsesLimitFields = ["max_output_tokens"] as const;
/** All that a template renders; `text` may hold a schema. */
const promptFields = ["input", "instructions", "tools", "text"] as const;
/** Each request may end at another provider: what one of them keeps, the next does not know. */
const memoryFields = {
  previous_response_id: "Send the earlier items in `input` instead.",
  conversation: "Send the earlier items in `input` instead.",
  prompt: "Send the prompt's text in `instructions` or `input` instead.",
} as const;
const itemReference = Buffer.from('"item_reference"');
const readFields: ReadonlySet<string> = new Set([
  ...promptFields,
  ...responsesLimitFields,
  ...Object.keys(memoryFields),
  "background",
  "model",
  "stream",
]);

export function scanResponsesRequest(body: Buffer, operation: Operation): InferenceRequest {
  const { fields, superseded, insertAt } = scanBody(body, readFields);
  refuseMemory(body, fields);
  requireInput(body, fields.get("input"));
  const promptBytes = bytesOf(fields, promptFields);
  const request: InferenceRequest = {
    operation,
    stream: readBoolean(body, fields.get("stream"), "stream"),
    includeUsage: true,
    choices: 1,
    hidesOutput: false,
    promptBytes,
    promptTokensEstimate: estimateTokens(promptBytes),
    fields,
    superseded,
    insertAt,
  };
  const model = readModel(body, fields.get("model"));
  if (model !== undefined) request.model = model;
  const maxTokens = readCount(body, fields.get("max_output_tokens"), "max_output_tokens", { min: 1 });
  if (maxTokens !== undefined) request.maxTokens = maxTokens;
  return request;
}

function refuseMemory(body: Buffer, fields: ReadonlyMap<string, ByteRange>): void {
  for (const [field, instead] of Object.entries(memoryFields)) {
    if (isAbsent(body, fields.get(field))) continue;
    throw new InvalidField(field, `\`${field}\` needs a provider that remembers, and any may serve you. ${instead}`);
  }
  if (readBoolean(body, fields.get("background"), "background")) {
    throw new InvalidField(
      "background",
      "`background` is not offered: leave it out, and use `stream` for long answers.",
    );
  }
}

function requireInput(body: Buffer, range: ByteRange | undefined): void {
  if (isAbsent(body, range)) throw new InvalidField("input", "`input` is required.");
  if (body[range.start] === 0x22) return;
  if (body[range.start] !== 0x5b) throw new InvalidField("input", "`input` must be a text or an array of items.");
  if (scanItems(body, range.start).count === 0) throw new InvalidField("input", "`input` must hold at least one item.");
  refuseReferences(body.subarray(range.start, range.end));
}

/** In a text the quotes would be escaped, so most inputs are never looked at closer. */
function refuseReferences(input: Buffer): void {
  if (!input.includes(itemReference)) return;
  const items = parseObject(`{"items":${input.toString()}}`)?.items;
  if (!Array.isArray(items) || !items.some((item) => asRecord(item)?.type === "item_reference")) return;
  throw new InvalidField(
    "input",
    "An `item_reference` needs a provider that remembers, and any may serve you. Send the item itself; SDKs do with `store: false`.",
  );
}
