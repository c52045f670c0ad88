/** Reads and edits single fields of a request's body in place: what the operations have in common. */
import { DomainError } from "../../platform/errors";
import { type ByteRange, decodeString, scanDocument, scanMembers } from "../json-members";

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

export interface ScannedBody {
  readonly fields: Map<string, ByteRange>;
  readonly superseded: readonly ByteRange[];
  readonly insertAt: number;
}

const MODEL_BYTES_MAX = 1_024;
const BYTES_PER_TOKEN_ESTIMATE = 4;

/** `readFields`: the keys that count for a price; duplicates of others stay. Errors: MalformedBody. */
export function scanBody(body: Buffer, readFields: ReadonlySet<string>): ScannedBody {
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
  return { fields, superseded, insertAt: openBrace + 1 };
}

export function readModel(body: Buffer, range: ByteRange | undefined): string | undefined {
  if (range === undefined) return undefined;
  if (body[range.start] !== 0x22) throw new InvalidField("model", "`model` must be a string.");
  if (lengthOf(range) > MODEL_BYTES_MAX) {
    throw new InvalidField("model", `\`model\` must not be longer than ${MODEL_BYTES_MAX} bytes.`);
  }
  return decodeString(body, range.start, range.end);
}

export function readBoolean(body: Buffer, range: ByteRange | undefined, param: string): boolean {
  if (isAbsent(body, range)) return false;
  const text = body.toString("latin1", range.start, range.end);
  if (text !== "true" && text !== "false") throw new InvalidField(param, `\`${param}\` must be true or false.`);
  return text === "true";
}

export function readIncludeUsage(body: Buffer, range: ByteRange | undefined): boolean {
  if (isAbsent(body, range)) return false;
  if (body[range.start] !== 0x7b) throw new InvalidField("stream_options", "`stream_options` must be an object.");
  const last = scanMembers(body, range.start).members.findLast(({ key }) => key === "include_usage");
  return readBoolean(body, last, "stream_options.include_usage");
}

/** A whole number between the bounds, undefined when absent. */
export function readCount(
  body: Buffer,
  range: ByteRange | undefined,
  param: string,
  { min, max }: { min: number; max?: number },
): number | undefined {
  const count = readInteger(body, range);
  if (count === undefined || (count >= min && count <= (max ?? Number.MAX_SAFE_INTEGER))) return count;
  const bounds = max === undefined ? `of at least ${min}` : `between ${min} and ${max}`;
  throw new InvalidField(param, `\`${param}\` must be a whole number ${bounds}.`);
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
export function isAbsent(body: Buffer, range: ByteRange | undefined): range is undefined {
  return range === undefined || body[range.start] === 0x6e;
}

export function lengthOf(range: ByteRange | undefined): number {
  return range === undefined ? 0 : range.end - range.start;
}

/** What text comes to on average. */
export function estimateTokens(bytes: number): number {
  return Math.ceil(bytes / BYTES_PER_TOKEN_ESTIMATE);
}

/** JSON bytes of the values of `keys` together. */
export function bytesOf(fields: ReadonlyMap<string, ByteRange>, keys: readonly string[]): number {
  let bytes = 0;
  for (const key of keys) bytes += lengthOf(fields.get(key));
  return bytes;
}
