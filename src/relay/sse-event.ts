/** One server-sent event: its data found among its lines; what the data says is read by the operation. */
import { hasAt, isBlank } from "./json-bytes";

/**
 * CONTENT carries output (text, reasoning, a tool call); PREAMBLE is an event without any: the role, an empty delta, the
 * finish reason; USAGE is there for its figures alone, and is taken out unless it was asked for; DONE says that the
 * answer is whole; FAILED ends one that is not, in the form of the operation's own events; ERROR is any other sign of that;
 * COMMENT has no data at all.
 */
export type SseEventKind = "CONTENT" | "PREAMBLE" | "USAGE" | "DONE" | "FAILED" | "ERROR" | "COMMENT";

export interface SseEvent {
  /** The whole event with the blank line that ends it. */
  bytes: Buffer;
  kind: SseEventKind;
  /** In the words of chat completions, wherever an event has one. */
  usage?: unknown;
  /** JSON bytes of the output inside: never less than the output's own UTF-8 bytes. */
  contentBytes: number;
  /** Bytes of output inside that earlier events may have brought piece by piece; of DONE all of it. */
  restatedBytes?: number;
}

/** `source` from `from` to `to`, trimmed, is the data of the event `bytes`. Errors: UPSTREAM_FAILED. */
export type DataReader = (bytes: Buffer, source: Buffer, from: number, to: number) => SseEvent;

const LINE_FEED = 0x0a;
const dataField = Buffer.from("data:");
const eventField = Buffer.from("event:");

/** `bytes`: one event, its closing blank line included or, at the end of a stream, missing. Errors: those of `readData`. */
export function readSseEvent(bytes: Buffer, readData: DataReader): SseEvent {
  const firstLineEnd = bytes.indexOf(LINE_FEED);
  const oneLine = firstLineEnd === -1 || bytes.length - firstLineEnd <= 3;
  if (oneLine && hasAt(bytes, 0, dataField)) {
    return readTrimmed(readData, bytes, bytes, dataField.length, firstLineEnd === -1 ? bytes.length : firstLineEnd);
  }
  const { data, isError } = joinLines(bytes);
  if (data === null) return { bytes, kind: "COMMENT", contentBytes: 0 };
  const event = readTrimmed(readData, bytes, data, 0, data.length);
  return isError ? { ...event, kind: "ERROR" } : event;
}

function readTrimmed(readData: DataReader, bytes: Buffer, source: Buffer, from: number, to: number): SseEvent {
  let start = from;
  let end = to;
  while (start < end && isBlank(source[start]!)) start += 1;
  while (end > start && isBlank(source[end - 1]!)) end -= 1;
  return readData(bytes, source, start, end);
}

/** The data of an event of several lines, as the standard joins it; null when no line is data. */
function joinLines(bytes: Buffer): { data: Buffer | null; isError: boolean } {
  const pieces: Buffer[] = [];
  let isError = false;
  for (let start = 0; start < bytes.length; ) {
    const lineFeed = bytes.indexOf(LINE_FEED, start);
    const end = lineFeed === -1 ? bytes.length : lineFeed;
    if (hasAt(bytes, start, dataField)) {
      if (pieces.length > 0) pieces.push(newline);
      pieces.push(bytes.subarray(start + dataField.length, end));
    }
    if (hasAt(bytes, start, eventField)) {
      isError = bytes.toString("latin1", start + eventField.length, end).trim() === "error";
    }
    start = end + 1;
  }
  if (pieces.length === 0) return { data: null, isError };
  return { data: pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces), isError };
}

const newline = Buffer.from("\n");
