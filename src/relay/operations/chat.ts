/** POST /v1/chat/completions: the operation that the others are told by. */
import { asRecord, jsonBytes, parseObject } from "../json-bytes";
import { chatLimitFields, scanChatRequest } from "./chat-request";
import { chunkStream } from "./chunk-events";
import type { Operation } from "./operation";
import { rewriteRequest } from "./request-edits";

export const chat: Operation = {
  path: "/v1/chat/completions",
  promptField: "messages",
  limitField: "max_tokens",
  scan: (body) => scanChatRequest(body, chat),
  rewrite: (body, request, edits) => rewriteRequest(body, request, edits, chatLimitFields),
  readWhole(body) {
    const answer = parseObject(body.toString());
    if (answer === null || !Array.isArray(answer.choices)) return null;
    let deliveredBytes = 0;
    for (const choice of answer.choices) deliveredBytes += outputBytes(choice);
    return { usage: answer.usage, deliveredBytes };
  },
  stream: chunkStream,
  rename: (bytes, name) => name.replaceIn(bytes),
};

/** Whatever a message holds besides its role is output: text, reasoning, tool calls, kinds still to come. */
function outputBytes(choice: unknown): number {
  const message = asRecord(asRecord(choice)?.message);
  if (message === null) return 0;
  let sum = 0;
  for (const [key, value] of Object.entries(message)) {
    if (key === "role" || value == null) continue;
    sum += typeof value === "string" ? Buffer.byteLength(value) : jsonBytes(value);
  }
  return sum;
}
