/** Tells what one server-sent event of a completion stream is, reading its bytes and parsing only the rare ones. */

/**
 * CONTENT carries output (text, reasoning, a tool call); PREAMBLE is a chunk without any: the role, an empty delta, the
 * finish reason; USAGE is the chunk of `include_usage` (`"choices":[]`); COMMENT has no data at all.
 */
export type SseEventKind = "CONTENT" | "PREAMBLE" | "USAGE" | "DONE" | "ERROR" | "COMMENT";

export interface SseEvent {
  /** The whole event with the blank line that ends it. */
  bytes: Buffer;
  kind: SseEventKind;
  /** The usage object wherever a chunk has one: with `choices` or without. */
  usage?: unknown;
  /** JSON bytes of the output inside: never less than the output's own UTF-8 bytes. */
  contentBytes: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const OPEN_BRACE = 0x7b;
const INITIAL_OF_NULL = 0x6e;

const dataField = Buffer.from("data:");
const eventField = Buffer.from("event:");
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

/** `bytes`: one event, its closing blank line included or, at the end of a stream, missing. Errors: none. */
export function readSseEvent(bytes: Buffer): SseEvent {
  const firstLineEnd = bytes.indexOf(LINE_FEED);
  const oneLine = firstLineEnd === -1 || bytes.length - firstLineEnd <= 3;
  if (oneLine && hasAt(bytes, 0, dataField)) {
    return readChunk(bytes, bytes, dataField.length, firstLineEnd === -1 ? bytes.length : firstLineEnd);
  }
  const { data, isError } = joinLines(bytes);
  if (data === null) return { bytes, kind: "COMMENT", contentBytes: 0 };
  const event = readChunk(bytes, data, 0, data.length);
  return isError ? { ...event, kind: "ERROR" } : event;
}

/** The data of an event of several lines, as the standard joins it; null when no line is data. */
function joinLines(bytes: Buffer): { data: Buffer | null; isError: boolean } {
  const pieces: Buffer[] = [];
  let isError = false;
  for (let start = 0; start < bytes.length; ) {
    const lineFeed = bytes.indexOf(LINE_FEED, start);
    const end = lineFeed === -1 ? bytes.length : lineFeed;
    if (hasAt(bytes, start, dataField)) pieces.push(bytes.subarray(start + dataField.length, end), Buffer.from("\n"));
    if (hasAt(bytes, start, eventField)) {
      isError = bytes.toString("latin1", start + eventField.length, end).trim() === "error";
    }
    start = end + 1;
  }
  return { data: pieces.length > 0 ? Buffer.concat(pieces) : null, isError };
}

/** `source` from `from` to `to` is the data of the event `bytes`. */
function readChunk(bytes: Buffer, source: Buffer, from: number, to: number): SseEvent {
  let start = from;
  let end = to;
  while (start < end && isBlank(source[start]!)) start += 1;
  while (end > start && isBlank(source[end - 1]!)) end -= 1;
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
    if (key.tells === "USAGE") {
      if (source[value] === OPEN_BRACE) return 0;
    } else if (key.tells === "ERROR") {
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

/** Where the value of the key that ended before `at` begins; -1 when no colon follows and it was no key. */
function valueStart(source: Buffer, at: number): number {
  let i = at;
  while (isBlank(source[i] ?? 0)) i += 1;
  if (source[i] !== 0x3a) return -1;
  i += 1;
  while (isBlank(source[i] ?? 0)) i += 1;
  return i;
}

function closingQuote(source: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && source[at] !== QUOTE) at += source[at] === BACKSLASH ? 2 : 1;
  return Math.min(at, end);
}

/** The exact reading, for first, last and unusual chunks. Data that is no JSON object is passed on as no output. */
function parseChunk(bytes: Buffer, text: string): SseEvent {
  const chunk = parseObject(text);
  if (chunk === null) return { bytes, kind: "PREAMBLE", contentBytes: 0 };
  if (chunk.error !== undefined && chunk.error !== null) return { bytes, kind: "ERROR", contentBytes: 0 };
  const choices = Array.isArray(chunk.choices) ? chunk.choices : [];
  const contentBytes = choices.reduce<number>((sum, choice) => sum + outputBytes(choice), 0);
  const usage = asRecord(chunk.usage);
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
  return Buffer.byteLength(JSON.stringify(value));
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    return asRecord(JSON.parse(text));
  } catch {
    return null;
  }
}

function asRecord(value: unknown): Record<string, unknown> | null {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

function hasAt(source: Buffer, at: number, wanted: Buffer): boolean {
  for (let i = 0; i < wanted.length; i += 1) {
    if (source[at + i] !== wanted[i]) return false;
  }
  return true;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === 0x09 || byte === CARRIAGE_RETURN || byte === LINE_FEED;
}
