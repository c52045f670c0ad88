/** Tells what the data of one event in a stream of chunks is, reading its bytes and parsing only the rare ones. */
import { errorEvent } from "../errors";
import { asRecord, closingQuote, hasAt, jsonBytes, parseObject, QUOTE, valueStart } from "../json-bytes";
import { EVENT_BYTES_MAX } from "../sse";
import type { SseEvent } from "../sse-event";
import type { StreamForm } from "./operation";

const INITIAL_OF_NULL = 0x6e;
const done = Buffer.from("[DONE]");

interface TellingKey {
  readonly bytes: Buffer;
  readonly tells: "OUTPUT" | "USAGE" | "ERROR";
}

/** Output is a string under one of these: chat, two spellings of reasoning, and the older completions. */
const tellingKeys: readonly TellingKey[] = [
  { bytes: Buffer.from('"content"'), tells: "OUTPUT" },
  { bytes: Buffer.from('"reasoning_content"'), tells: "OUTPUT" },
  { bytes: Buffer.from('"reasoning"'), tells: "OUTPUT" },
  { bytes: Buffer.from('"text"'), tells: "OUTPUT" },
  { bytes: Buffer.from('"usage"'), tells: "USAGE" },
  { bytes: Buffer.from('"error"'), tells: "ERROR" },
];
/** The byte after its quote tells at once that most of a chunk's strings are none of these keys. */
const keysByInitial: readonly (readonly TellingKey[] | undefined)[] = Array.from({ length: 256 }, (_, initial) => {
  const keys = tellingKeys.filter(({ bytes }) => bytes[1] === initial);
  return keys.length > 0 ? keys : undefined;
});

/** The streams of chat and of the older completions. */
export const chunkStream: StreamForm = {
  readData: readChunk,
  eventBytesMax: EVENT_BYTES_MAX,
  rename: (event, name) => name.replaceIn(event),
  // Role and empty deltas; a provider that sends more than this without content is not well.
  preambleBytesMax: () => 65_536,
  lastEvent: "data: [DONE]\n\n",
  errorEvent: (error) => errorEvent(error),
};

/** `"choices":[]` beside usage is the chunk of `include_usage`. */
export function readChunk(bytes: Buffer, source: Buffer, start: number, end: number): SseEvent {
  if (end - start === done.length && hasAt(source, start, done)) return { bytes, kind: "DONE", contentBytes: 0 };
  const contentBytes = plainContentBytes(source, start, end);
  if (contentBytes > 0) return { bytes, kind: "CONTENT", contentBytes };
  return parseChunk(bytes, source.toString("utf8", start, end));
}

/**
 * Bytes of output in a chunk that has output strings and neither usage nor error; 0 for every other chunk, which is then
 * parsed. One pass, because four native searches cost twice as much on a chunk of 220 bytes. A key never matches inside
 * a string: there its quotes are escaped.
 */
function plainContentBytes(source: Buffer, start: number, end: number): number {
  let contentBytes = 0;
  for (let at = start; at < end - 1; at += 1) {
    if (source[at] !== QUOTE) continue;
    const keys = keysByInitial[source[at + 1]!];
    const key = keys === undefined ? undefined : keyAt(source, at, keys);
    if (key === undefined) continue;
    const value = valueStart(source, at + key.bytes.length);
    if (key.tells === "USAGE" || key.tells === "ERROR") {
      if (source[value] !== INITIAL_OF_NULL) return 0;
    } else if (source[value] === QUOTE) {
      at = closingQuote(source, value + 1, end);
      contentBytes += at - value - 1;
    }
  }
  return contentBytes;
}

function keyAt(source: Buffer, at: number, keys: readonly TellingKey[]): TellingKey | undefined {
  for (let i = 0; i < keys.length; i += 1) {
    if (hasAt(source, at, keys[i]!.bytes)) return keys[i];
  }
  return undefined;
}

/** The exact reading, for first, last and unusual chunks. Data that is no JSON object is passed on as no output. */
function parseChunk(bytes: Buffer, text: string): SseEvent {
  const chunk = parseObject(text);
  if (chunk === null) return { bytes, kind: "PREAMBLE", contentBytes: 0 };
  if (chunk.error !== undefined && chunk.error !== null) return { bytes, kind: "ERROR", contentBytes: 0 };
  const choices = Array.isArray(chunk.choices) ? chunk.choices : [];
  const contentBytes = choices.reduce<number>((sum, choice) => sum + outputBytes(choice), 0);
  // Also one that is no object: it is a claim, and a wrong one.
  const usage = chunk.usage ?? null;
  const isUsageOnly = usage !== null && Array.isArray(chunk.choices) && choices.length === 0;
  const kind = contentBytes > 0 ? "CONTENT" : isUsageOnly ? "USAGE" : "PREAMBLE";
  return { bytes, kind, ...(usage === null ? {} : { usage }), contentBytes };
}

/** Whatever a delta holds besides its role is output: a new kind of it must not look like nothing. */
function outputBytes(choice: unknown): number {
  const { delta, text } = asRecord(choice) ?? {};
  let sum = valueBytes(text);
  for (const [key, value] of Object.entries(asRecord(delta) ?? {})) {
    if (key !== "role") sum += valueBytes(value);
  }
  return sum;
}

function valueBytes(value: unknown): number {
  if (typeof value === "string") return value === "" ? 0 : Buffer.byteLength(JSON.stringify(value)) - 2;
  if (typeof value !== "object" || value === null || Object.keys(value).length === 0) return 0;
  return jsonBytes(value);
}
