/** Finds the members of a JSON object inside raw bytes without building any value: where each key's value lies. */
import { DomainError } from "../platform/errors";

/** The body is not JSON at `position` (a byte offset), as far as the scanner looks. */
export class MalformedBody extends DomainError {
  constructor(
    reason: string,
    readonly position: number,
  ) {
    super("MALFORMED_BODY", `The body is not valid JSON: ${reason} at byte ${position}.`, { details: { position } });
    this.name = "MalformedBody";
  }
}

/** A half-open range of bytes: one value, without the whitespace around it. */
export interface ByteRange {
  start: number;
  end: number;
}

export interface Member extends ByteRange {
  key: string;
  keyStart: number;
}

/** Nothing an inference server understands is nested deeper; a limit keeps the stack of open brackets small. */
export const NESTING_MAX = 512;
/** A string longer than this is searched natively: a call costs as much as about so many steps of the loop. */
const STRING_LOOP_BYTES = 48;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;

const scalar = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;

/** Which closing bracket each open one waits for; scanning never waits, so one stack serves every call. */
const expected = new Uint8Array(NESTING_MAX);

/** The members of an object that is the whole of `body`, in order, duplicates included. Errors: MalformedBody. */
export function scanDocument(body: Buffer): { members: Member[]; openBrace: number } {
  const openBrace = skipWhitespace(body, 0);
  if (body[openBrace] !== OPEN_BRACE) throw new MalformedBody("an object was expected", openBrace);
  const { members, end } = scanMembers(body, openBrace);
  const rest = skipWhitespace(body, end);
  if (rest < body.length) throw new MalformedBody("something follows the object", rest);
  return { members, openBrace };
}

/**
 * The members of the object that opens at `openBrace`. Its own level is checked as JSON.parse would; of what is nested
 * in it, brackets and quotes must be balanced, the rest is the reader's business. Errors: MalformedBody.
 */
export function scanMembers(body: Buffer, openBrace: number): { members: Member[]; end: number } {
  const members: Member[] = [];
  let at = skipWhitespace(body, openBrace + 1);
  if (body[at] === CLOSE_BRACE) return { members, end: at + 1 };
  for (;;) {
    if (body[at] !== QUOTE) throw new MalformedBody("a key in quotes was expected", at);
    const keyStart = at;
    const keyEnd = skipString(body, at);
    const key = decodeString(body, at, keyEnd);
    at = skipWhitespace(body, keyEnd);
    if (body[at] !== COLON) throw new MalformedBody("a colon was expected", at);
    const start = skipWhitespace(body, at + 1);
    const end = skipValue(body, start);
    members.push({ key, keyStart, start, end });
    at = skipWhitespace(body, end);
    if (body[at] === CLOSE_BRACE) return { members, end: at + 1 };
    if (body[at] !== COMMA) throw new MalformedBody("a comma or a closing brace was expected", at);
    at = skipWhitespace(body, at + 1);
  }
}

export interface Items {
  readonly count: number;
  readonly longest: ByteRange;
  /** Every item is a number. */
  readonly numbers: boolean;
}

/** Of the array that opens at `openBracket`, which is known to be balanced. Errors: MalformedBody. */
export function scanItems(body: Buffer, openBracket: number): Items {
  let count = 0;
  const longest: ByteRange = { start: openBracket, end: openBracket };
  let numbers = true;
  let at = skipWhitespace(body, openBracket + 1);
  if (body[at] === CLOSE_BRACKET) return { count, longest, numbers };
  for (;;) {
    const end = skipValue(body, at);
    const first = body[at]!;
    if (first !== MINUS && !(first >= ZERO && first <= NINE)) numbers = false;
    if (end - at > longest.end - longest.start) {
      longest.start = at;
      longest.end = end;
    }
    count += 1;
    at = skipWhitespace(body, end);
    if (body[at] === CLOSE_BRACKET) return { count, longest, numbers };
    if (body[at] !== COMMA) throw new MalformedBody("a comma or a closing bracket was expected", at);
    at = skipWhitespace(body, at + 1);
  }
}

/** The text of the JSON string in [start, end), quotes included. Errors: MalformedBody for a bad escape. */
export function decodeString(body: Buffer, start: number, end: number): string {
  const text = body.toString("utf8", start + 1, end - 1);
  if (isPlain(text)) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    throw new MalformedBody("a string holds a bad escape or a control character", start);
  }
}

/** The first byte at or after `at` that is no whitespace; the length of the body when there is none. */
export function skipWhitespace(body: Buffer, at: number): number {
  let i = at;
  for (; i < body.length; i += 1) {
    const byte = body[i]!;
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
  }
  return i;
}

/** A string without escapes and control characters is its own decoding. */
function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit === BACKSLASH || unit < 0x20) return false;
  }
  return true;
}

function skipValue(body: Buffer, start: number): number {
  const first = body[start];
  if (first === QUOTE) return skipString(body, start);
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return skipNested(body, start);
  let end = start;
  while (end < body.length && isScalarByte(body[end]!)) end += 1;
  if (!scalar.test(body.toString("latin1", start, end))) throw new MalformedBody("a value was expected", start);
  return end;
}

/** Letters, digits, sign and point: whatever a number or a literal may consist of. */
function isScalarByte(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x61 && byte <= 0x7a) ||
    byte === 0x45 ||
    byte === 0x2b ||
    byte === 0x2d ||
    byte === 0x2e
  );
}

/** Past the object or array that opens at `start`. */
function skipNested(body: Buffer, start: number): number {
  let depth = 0;
  let at = start;
  while (at < body.length) {
    const byte = body[at]!;
    if (byte === QUOTE) {
      at = skipString(body, at);
      continue;
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (depth === NESTING_MAX) throw new MalformedBody(`nesting is deeper than ${NESTING_MAX}`, at);
      // In ASCII both closing brackets lie two after their opening ones.
      expected[depth] = byte + 2;
      depth += 1;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth -= 1;
      if (expected[depth] !== byte) throw new MalformedBody("a bracket closes what it did not open", at);
      if (depth === 0) return at + 1;
    }
    at += 1;
  }
  throw new MalformedBody("it ends inside an object or array", body.length);
}

/** Past the string that opens at `start`: a short one step by step, the rest of a long one from quote to quote. */
function skipString(body: Buffer, start: number): number {
  const loopEnd = Math.min(body.length, start + 1 + STRING_LOOP_BYTES);
  let at = start + 1;
  while (at < loopEnd) {
    const byte = body[at]!;
    if (byte === QUOTE) return at + 1;
    at += byte === BACKSLASH ? 2 : 1;
  }
  for (let quote = body.indexOf(QUOTE, at); quote !== -1; quote = body.indexOf(QUOTE, quote + 1)) {
    // Backslashes pair up from the left; `at` is where an unescaped byte is known to be.
    let first = quote;
    while (first > at && body[first - 1] === BACKSLASH) first -= 1;
    if ((quote - first) % 2 === 0) return quote + 1;
  }
  throw new MalformedBody("it ends inside a string", body.length);
}
