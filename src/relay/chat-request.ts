/** Reads the few fields of a chat request that the relay needs, and edits them, without parsing the body whole. */
import { DomainError } from "../platform/errors";
import { type ByteRange, decodeString, scanDocument, scanMembers, skipWhitespace } from "./json-members";

export { MalformedBody } from "./json-members";

/** A field that the relay reads has a value that it cannot have. */
export class InvalidField extends DomainError {
  constructor(
    readonly param: string,
    message: string,
  ) {
    super("BAD_USER_INPUT", message, { field: param });
    this.name = "InvalidField";
  }
}

export interface ChatRequest {
  model?: string;
  stream: boolean;
  /** The client wants the usage chunk of a stream for itself. */
  includeUsage: boolean;
  /** What may be written per choice; of two limits the higher, because providers differ in which one they obey. */
  maxTokens?: number;
  n: number;
  /** JSON bytes of all that a chat template renders: an upper bound of the prompt's tokens. */
  promptBytes: number;
  /** Where each key's value lies; of duplicates the last, as in JSON.parse. */
  fields: Map<string, ByteRange>;
  /** For the rewriting: earlier members whose key, one of those read here, comes again; the place after the brace. */
  superseded: readonly ByteRange[];
  insertAt: number;
}

export interface ChatRequestEdits {
  /** The provider's own name of the model. */
  model?: string;
  includeUsage?: true;
  maxTokens?: number;
}

/** OpenAI's own limit. */
const CHOICES_MAX = 128;
const MODEL_BYTES_MAX = 1_024;
const limitFields = ["max_completion_tokens", "max_tokens"] as const;
/** Besides the messages, templates render these too: a request with tools has far more prompt than its messages. */
const promptFields = ["messages", "tools", "functions", "response_format"] as const;
const readFields: ReadonlySet<string> = new Set([
  ...promptFields,
  ...limitFields,
  "model",
  "stream",
  "stream_options",
  "n",
]);

/** Errors: MalformedBody (the bytes are not a JSON object), InvalidField (one of the fields read here is of no use). */
export function scanChatRequest(body: Buffer): ChatRequest {
  const { members, openBrace } = scanDocument(body);
  const fields = new Map<string, ByteRange>();
  for (const { key, start, end } of members) fields.set(key, { start, end });
  const superseded: ByteRange[] = [];
  if (fields.size < members.length) {
    members.forEach(({ key, keyStart, start }, i) => {
      // The last member supersedes nothing, so there is always a next one to cut up to.
      if (!readFields.has(key) || fields.get(key)?.start === start) return;
      superseded.push({ start: keyStart, end: members[i + 1]!.keyStart });
    });
  }
  requireMessages(body, fields.get("messages"));
  const request: ChatRequest = {
    stream: readBoolean(body, fields.get("stream"), "stream"),
    includeUsage: readIncludeUsage(body, fields.get("stream_options")),
    n: readChoices(body, fields.get("n")),
    promptBytes: promptBytesOf(fields),
    fields,
    superseded,
    insertAt: openBrace + 1,
  };
  // Assigned, not spread: two spreads cost 4 µs, more than all the scanning of a small body.
  const model = readModel(body, fields.get("model"));
  if (model !== undefined) request.model = model;
  const maxTokens = readMaxTokens(body, fields);
  if (maxTokens !== undefined) request.maxTokens = maxTokens;
  return request;
}

/**
 * The body with `edits` spliced in, byte for byte the same elsewhere. Duplicates of a field that the relay reads go:
 * a provider whose parser keeps the first of them would serve another request than the one that was priced.
 */
export function rewriteChatRequest(body: Buffer, scan: ChatRequest, edits: ChatRequestEdits): Buffer {
  const splices: Splice[] = scan.superseded.map(({ start, end }) => ({ start, end, text: "" }));
  let inserted = "";
  const set = (key: string, text: string) => {
    const range = scan.fields.get(key);
    if (range === undefined) inserted += `"${key}":${text},`;
    else splices.push({ start: range.start, end: range.end, text });
  };
  if (edits.model !== undefined) set("model", JSON.stringify(edits.model));
  if (edits.maxTokens !== undefined) {
    const limits = limitFields.filter((key) => !isAbsent(body, scan.fields.get(key)));
    for (const key of limits.length > 0 ? limits : ["max_tokens"]) set(key, String(edits.maxTokens));
  }
  if (edits.includeUsage) {
    const options = scan.fields.get("stream_options");
    if (isAbsent(body, options)) set("stream_options", '{"include_usage":true}');
    else splices.push(...forceIncludeUsage(body, options));
  }
  // First in the list, because it must stay before a cut that begins at the same byte.
  splices.unshift({ start: scan.insertAt, end: scan.insertAt, text: inserted });
  return spliced(body, splices);
}

interface Splice extends ByteRange {
  text: string;
}

function forceIncludeUsage(body: Buffer, options: ByteRange): Splice[] {
  const { members } = scanMembers(body, options.start);
  const given = members.filter(({ key }) => key === "include_usage");
  if (given.length > 0) return given.map(({ start, end }) => ({ start, end, text: "true" }));
  const after = options.start + 1;
  return [{ start: after, end: after, text: members.length > 0 ? '"include_usage":true,' : '"include_usage":true' }];
}

/** Splices do not overlap; of two at the same byte the one that comes first in the list stays first. */
function spliced(body: Buffer, splices: Splice[]): Buffer {
  let length = body.length;
  for (const { start, end, text } of splices) length += Buffer.byteLength(text) - (end - start);
  const edited = Buffer.allocUnsafe(length);
  let from = 0;
  let to = 0;
  for (const { start, end, text } of splices.sort((a, b) => a.start - b.start)) {
    to += body.copy(edited, to, from, start);
    to += edited.write(text, to);
    from = end;
  }
  body.copy(edited, to, from);
  return edited;
}

function requireMessages(body: Buffer, range: ByteRange | undefined): void {
  if (range === undefined) throw new InvalidField("messages", "`messages` is required.");
  if (body[range.start] !== 0x5b) throw new InvalidField("messages", "`messages` must be an array of messages.");
  if (skipWhitespace(body, range.start + 1) === range.end - 1) {
    throw new InvalidField("messages", "`messages` must hold at least one message.");
  }
}

function readModel(body: Buffer, range: ByteRange | undefined): string | undefined {
  if (range === undefined) return undefined;
  if (body[range.start] !== 0x22) throw new InvalidField("model", "`model` must be a string.");
  if (lengthOf(range) > MODEL_BYTES_MAX) {
    throw new InvalidField("model", `\`model\` must not be longer than ${MODEL_BYTES_MAX} bytes.`);
  }
  return decodeString(body, range.start, range.end);
}

function readMaxTokens(body: Buffer, fields: ReadonlyMap<string, ByteRange>): number | undefined {
  let highest: number | undefined;
  for (const key of limitFields) {
    const limit = readInteger(body, fields.get(key));
    if (limit === undefined) continue;
    if (!(limit >= 1)) throw new InvalidField(key, `\`${key}\` must be a whole number of at least 1.`);
    highest = Math.max(highest ?? 0, limit);
  }
  return highest;
}

function readChoices(body: Buffer, range: ByteRange | undefined): number {
  const n = readInteger(body, range) ?? 1;
  if (!(n >= 1 && n <= CHOICES_MAX)) {
    throw new InvalidField("n", `\`n\` must be a whole number between 1 and ${CHOICES_MAX}.`);
  }
  return n;
}

function readIncludeUsage(body: Buffer, range: ByteRange | undefined): boolean {
  if (isAbsent(body, range)) return false;
  if (body[range.start] !== 0x7b) throw new InvalidField("stream_options", "`stream_options` must be an object.");
  const last = scanMembers(body, range.start).members.findLast(({ key }) => key === "include_usage");
  return readBoolean(body, last, "stream_options.include_usage");
}

function readBoolean(body: Buffer, range: ByteRange | undefined, param: string): boolean {
  if (isAbsent(body, range)) return false;
  const text = body.toString("latin1", range.start, range.end);
  if (text !== "true" && text !== "false") throw new InvalidField(param, `\`${param}\` must be true or false.`);
  return text === "true";
}

/** A whole number, NaN for any other value, undefined when absent. */
function readInteger(body: Buffer, range: ByteRange | undefined): number | undefined {
  if (isAbsent(body, range)) return undefined;
  // Only a number begins so, and 40 bytes are more than any whole number that a double can hold.
  const first = body[range.start]!;
  if (!(first === 0x2d || (first >= 0x30 && first <= 0x39)) || lengthOf(range) > 40) return Number.NaN;
  const value = Number(body.toString("latin1", range.start, range.end));
  return Number.isSafeInteger(value) ? value : Number.NaN;
}

/** SDKs send null for what was not set. */
function isAbsent(body: Buffer, range: ByteRange | undefined): range is undefined {
  return range === undefined || body[range.start] === 0x6e;
}

function promptBytesOf(fields: ReadonlyMap<string, ByteRange>): number {
  let bytes = 0;
  for (const key of promptFields) bytes += lengthOf(fields.get(key));
  return bytes;
}

function lengthOf(range: ByteRange | undefined): number {
  return range === undefined ? 0 : range.end - range.start;
}
