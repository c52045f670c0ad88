/** POST /v1/embeddings: vectors of texts; nothing is written, so only the prompt is paid for. */
import { asRecord, parseObject } from "../json-bytes";
import { type Member, scanDocument, skipWhitespace } from "../json-members";
import { chunkStream } from "./chunk-events";
import type { InferenceRequest, Operation, WholeAnswer } from "./operation";
import { readPrompts } from "./prompts";
import { rewriteRequest } from "./request-edits";
import { readModel, scanBody } from "./request-fields";

const readFields: ReadonlySet<string> = new Set(["input", "model"]);

export const embeddings: Operation = {
  path: "/v1/embeddings",
  promptField: "input",
  limitField: "input",
  maxTokensDefault: 0,
  scan: scanEmbeddings,
  rewrite: (body, request, edits) => rewriteRequest(body, request, edits, []),
  readWhole: readVectors,
  // Never asked for: there are no streams of vectors.
  stream: chunkStream,
  rename: (bytes, name) => name.replaceIn(bytes),
};

function scanEmbeddings(body: Buffer): InferenceRequest {
  const { fields, superseded, insertAt } = scanBody(body, readFields);
  const { bytes, longestTokensEstimate } = readPrompts(body, fields.get("input"), "input");
  const request: InferenceRequest = {
    operation: embeddings,
    stream: false,
    includeUsage: false,
    choices: 1,
    hidesOutput: false,
    promptBytes: bytes,
    promptTokensEstimate: longestTokensEstimate,
    fields,
    superseded,
    insertAt,
  };
  const model = readModel(body, fields.get("model"));
  if (model !== undefined) request.model = model;
  return request;
}

/** Megabytes of numbers are stepped over, not parsed. An empty list is worth nothing. */
function readVectors(body: Buffer): WholeAnswer | null {
  const { members } = scanDocument(body);
  const list = lastOf(members, "data");
  if (list === undefined || body[list.start] !== 0x5b) return null;
  const empty = skipWhitespace(body, list.start + 1) === list.end - 1;
  return { usage: usageOf(body, lastOf(members, "usage")), deliveredBytes: empty ? 0 : list.end - list.start };
}

function lastOf(members: readonly Member[], key: string): Member | undefined {
  return members.findLast((member) => member.key === key);
}

/** A server of vectors does not speak of completion tokens: there are none. */
function usageOf(body: Buffer, range: Member | undefined): unknown {
  if (range === undefined) return undefined;
  const text = body.toString("utf8", range.start, range.end);
  const usage = parseObject(text);
  // Null is no claim; anything else that is no object is one that cannot be.
  if (usage === null) return text === "null" ? undefined : text;
  return { completion_tokens: 0, ...asRecord(usage) };
}
