/** POST /v1/responses: one answer to what the request itself holds; nobody remembers the one before. */
import { parseObject } from "../json-bytes";
import { type Member, scanDocument } from "../json-members";
import type { Operation, WholeAnswer } from "./operation";
import { rewriteRequest } from "./request-edits";
import { outputBytes, responsesStream, usageIn } from "./responses-events";
import { responsesLimitFields, scanResponsesRequest } from "./responses-request";

export const responses: Operation = {
  path: "/v1/responses",
  promptField: "input",
  limitField: "max_output_tokens",
  scan: (body) => scanResponsesRequest(body, responses),
  // Usage comes in the last event, asked for or not.
  rewrite: (body, request, { includeUsage: _, ...edits }) => rewriteRequest(body, request, edits, responsesLimitFields),
  readWhole,
  rename(body, name) {
    const model = memberOf(body, "model");
    return model === undefined ? body : name.replaceAt(body, model.start, model.end);
  },
  stream: responsesStream,
};

/** Failed, cancelled, or still to be written: no answer to pay for. */
const unfinished: ReadonlySet<unknown> = new Set(["failed", "cancelled", "queued", "in_progress"]);

/** What it repeats of the request is stepped over; its output alone is parsed. */
function readWhole(body: Buffer): WholeAnswer | null {
  const { members } = scanDocument(body);
  const read = (key: string): unknown => {
    const found = members.findLast((member) => member.key === key);
    if (found === undefined) return undefined;
    return parseObject(`{"value":${body.toString("utf8", found.start, found.end)}}`)?.value;
  };
  const output = read("output");
  if (!Array.isArray(output) || unfinished.has(read("status"))) return null;
  return { usage: usageIn(read("usage")), deliveredBytes: outputBytes(output) };
}

function memberOf(body: Buffer, key: string): Member | undefined {
  return scanDocument(body).members.findLast((member) => member.key === key);
}
