/** Replaces the name under which a provider answers by the marketplace's: its own may tell who the provider is. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
/** Inside a string both quotes would be escaped, so generated text can never match. */
const key = Buffer.from('"model"');

export class ModelName {
  private readonly replacement: Buffer;

  constructor(marketplace: string) {
    this.replacement = Buffer.from(JSON.stringify(marketplace));
  }

  /** `[start, end)` holds the value of a `model`: a string, or what is left as it is. */
  replaceAt(bytes: Buffer, start: number, end: number): Buffer {
    if (bytes[start] !== QUOTE) return bytes;
    return Buffer.concat([bytes.subarray(0, start), this.replacement, bytes.subarray(end)]);
  }

  /** Whatever the provider calls it: many answer with a longer name than the one they were asked for. */
  replaceIn(bytes: Buffer): Buffer {
    const pieces: Buffer[] = [];
    let from = 0;
    for (let at = bytes.indexOf(key); at !== -1; at = bytes.indexOf(key, at)) {
      at = valueStart(bytes, at + key.length);
      if (bytes[at] !== QUOTE) continue;
      const end = stringEnd(bytes, at);
      if (bytes.compare(this.replacement, 0, this.replacement.length, at, end) !== 0) {
        pieces.push(bytes.subarray(from, at), this.replacement);
        from = end;
      }
      at = end;
    }
    if (pieces.length === 0) return bytes;
    pieces.push(bytes.subarray(from));
    return Buffer.concat(pieces);
  }
}

/** Where the value of the key that ended before `at` begins; `at` itself when no colon follows and it was a value. */
function valueStart(bytes: Buffer, at: number): number {
  const colon = skipBlank(bytes, at);
  return bytes[colon] === COLON ? skipBlank(bytes, colon + 1) : at;
}

function skipBlank(bytes: Buffer, at: number): number {
  let i = at;
  while (bytes[i] === 0x20 || bytes[i] === 0x0a || bytes[i] === 0x0d || bytes[i] === 0x09) i += 1;
  return i;
}

/** Past the string that opens at `at`. */
function stringEnd(bytes: Buffer, at: number): number {
  let i = at + 1;
  while (i < bytes.length && bytes[i] !== QUOTE) i += bytes[i] === BACKSLASH ? 2 : 1;
  return Math.min(i + 1, bytes.length);
}
