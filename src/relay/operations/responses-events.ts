/** Tells what one typed event of a response's stream is; of the many deltas two keys are read, the few others are parsed. */
import { openAiError } from "../errors";
import { asRecord, closingQuote, hasAt, parseObject, QUOTE, valueStart } from "../json-bytes";
import { type Member, scanMembers } from "../json-members";
import type { ModelName } from "../model-name";
import type { SseEvent } from "../sse-event";
import type { StreamForm } from "./operation";

/** The last event brings the whole response once more, with what was asked. */
const EVENT_BYTES_MAX = 33_554_432;
/** `response.created` and `response.in_progress` repeat instructions and tools, each in at most twice the bytes. */
const PREAMBLE_BYTES_MIN = 65_536;
const ECHOES_MAX = 4;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const BACKSLASH = 0x5c;
const typeKey = Buffer.from('"type"');
const deltaKey = Buffer.from('"delta"');
const deltaEnd = Buffer.from(".delta");
const responseKey = Buffer.from('"response"');
const dataField = Buffer.from("data:");

/** What comes before content, or beside it. All else is content: a kind of it not invented yet must not be held back. */
const framing =
  /^(keepalive|ping|response\.(created|queued)|.*\.(added|in_progress|searching|generating|interpreting))$/;

export const responsesStream: StreamForm = {
  readData: readResponseEvent,
  eventBytesMax: EVENT_BYTES_MAX,
  rename: renameEvent,
  lastEvent: null,
  preambleBytesMax: (requestBytes) => PREAMBLE_BYTES_MIN + ECHOES_MAX * requestBytes,
  errorEvent(error, events) {
    const { error: told } = JSON.parse(openAiError(error).body) as { error: Record<string, unknown> };
    // Clients read either form of it: the fields themselves, or an object named error.
    const event = {
      type: "error",
      code: told.code,
      message: told.message,
      param: told.param,
      sequence_number: events,
      error: told,
    };
    return `event: error\ndata: ${JSON.stringify(event)}\n\n`;
  },
  failedEvent(event, name) {
    const renamed = renameEvent(event, name);
    const response = responseIn(renamed);
    const error = response?.find(({ key }) => key === "error");
    if (error === undefined) return renamed;
    return Buffer.concat([renamed.subarray(0, error.start), failure, renamed.subarray(error.end)]);
  },
};

const failure = Buffer.from(
  '{"code":"server_error","message":"The provider reported a failure. What was delivered is charged."}',
);

function readResponseEvent(bytes: Buffer, source: Buffer, start: number, end: number): SseEvent {
  const contentBytes = plainDeltaBytes(source, start, end);
  if (contentBytes > 0) return { bytes, kind: "CONTENT", contentBytes };
  if (start === end) return { bytes, kind: "COMMENT", contentBytes: 0 };
  const event = parseObject(source.toString("utf8", start, end));
  // `[DONE]` is no event of this stream: before the last one it would tell a client that it is over.
  if (event === null) return { bytes, kind: "ERROR", contentBytes: 0 };
  return { bytes, ...readParsed(event) };
}

function readParsed(event: Record<string, unknown>): Omit<SseEvent, "bytes"> {
  const type = typeof event.type === "string" ? event.type : "";
  const response = asRecord(event.response);
  switch (type) {
    case "response.completed":
    case "response.incomplete": {
      const usage = usageIn(response?.usage);
      const told = usage === undefined ? {} : { usage };
      return { kind: "DONE", ...told, contentBytes: 0, restatedBytes: outputBytes(response?.output) };
    }
    case "response.failed":
    case "response.cancelled":
      return { kind: "FAILED", contentBytes: 0 };
    case "error":
      return { kind: "ERROR", contentBytes: 0 };
    case "response.output_item.done":
      return { kind: "CONTENT", contentBytes: 0, restatedBytes: outputBytes(event.item) };
    default:
      if (framing.test(type)) return { kind: "PREAMBLE", contentBytes: 0 };
      return { kind: "CONTENT", contentBytes: type.endsWith(".delta") ? outputBytes(event.delta) : 0 };
  }
}

/** In the words of chat completions, which is how usage is bounded; undefined when nothing was reported. */
export function usageIn(usage: unknown): unknown {
  const claims = asRecord(usage);
  if (claims === null) return usage ?? undefined;
  return { prompt_tokens: claims.input_tokens, completion_tokens: claims.output_tokens };
}

const frameKeys: ReadonlySet<string> = new Set(["id", "type", "role", "status", "call_id"]);

/** Whatever an item holds besides its frame was written by the model: text, reasoning, arguments, kinds still to come. */
export function outputBytes(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + outputBytes(item), 0);
  let sum = 0;
  for (const [key, inner] of Object.entries(asRecord(value) ?? {})) if (!frameKeys.has(key)) sum += outputBytes(inner);
  return sum;
}

/**
 * Bytes of the string under `delta` in an event whose type ends in `.delta`; 0 for every other event. Only keys of the
 * event itself count: one pass that steps over strings and keeps the depth.
 */
function plainDeltaBytes(source: Buffer, start: number, end: number): number {
  let depth = 0;
  let isDelta = false;
  let bytes = 0;
  for (let at = start; at < end; at += 1) {
    const byte = source[at]!;
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth -= 1;
    if (byte !== QUOTE) continue;
    const close = closingQuote(source, at + 1, end);
    const value = depth === 1 ? valueStart(source, close + 1) : -1;
    if (value === -1) {
      at = close;
      continue;
    }
    // A key that is spelt with escapes may be any.
    for (let i = at; i < close; i += 1) if (source[i] === BACKSLASH) return 0;
    at = close;
    if (source[value] !== QUOTE) continue;
    const last = closingQuote(source, value + 1, end);
    if (hasAt(source, close + 1 - typeKey.length, typeKey)) isDelta = hasAt(source, last - deltaEnd.length, deltaEnd);
    else if (hasAt(source, close + 1 - deltaKey.length, deltaKey)) bytes = last - value - 1;
    at = last;
  }
  return isDelta ? bytes : 0;
}

/** The name stands in the response that a few of the events carry, and nowhere else: what the client sent stays its own. */
function renameEvent(event: Buffer, name: ModelName): Buffer {
  if (!event.includes(responseKey)) return event;
  const response = responseIn(event);
  // Data in several lines, which no server sends: rather too much renamed than a provider named.
  if (response === null) return name.replaceIn(event);
  const model = response.findLast(({ key }) => key === "model");
  return model === undefined ? event : name.replaceAt(event, model.start, model.end);
}

/** The members of the response inside an event; none when it has none, null when its data cannot be read in place. */
function responseIn(event: Buffer): readonly Member[] | null {
  const data = event.indexOf(dataField);
  const openBrace = event.indexOf(OPEN_BRACE, data);
  if (data === -1 || openBrace === -1) return null;
  try {
    const response = scanMembers(event, openBrace).members.findLast(({ key }) => key === "response");
    if (response === undefined || event[response.start] !== OPEN_BRACE) return [];
    return scanMembers(event, response.start).members;
  } catch {
    return null;
  }
}
