/** What an API key looks like, how it is made, recognised and hashed. */
import { createHmac, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";

const MARK = "exg_";
const RANDOM_CHARS = 40;
const CHECKSUM_CHARS = 6;
const SECRET_CHARS = MARK.length + RANDOM_CHARS + CHECKSUM_CHARS;
const PREFIX_CHARS = 12;
const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** The largest multiple of 62 in a byte: bytes from here on are thrown away, or the first letters would come more often. */
const UNBIASED_BELOW = 248;

/** `exg_`, 40 random base-62 characters (238 bits), 6 of checksum. Shown once, never stored. */
export function makeSecret(): string {
  let text = MARK;
  while (text.length < MARK.length + RANDOM_CHARS) {
    for (const byte of randomBytes(RANDOM_CHARS)) {
      if (byte < UNBIASED_BELOW && text.length < MARK.length + RANDOM_CHARS) text += BASE62[byte % 62];
    }
  }
  return text + checksum(text);
}

/** Refuses typos and guesses without a query. Anybody can compute the checksum, so it proves nothing. */
export function isWellFormed(secret: string): boolean {
  if (secret.length !== SECRET_CHARS || !secret.startsWith(MARK)) return false;
  const body = secret.slice(0, -CHECKSUM_CHARS);
  return /^[0-9A-Za-z]+$/.test(body.slice(MARK.length)) && secret.endsWith(checksum(body));
}

/** What people recognise a key by in a list. */
export function prefixOf(secret: string): string {
  return secret.slice(0, PREFIX_CHARS);
}

/** Keyed, so that a stolen table alone cannot even confirm a guess. */
export function digestOf(secret: string, pepper: Buffer): Buffer {
  return createHmac("sha256", pepper).update(secret).digest();
}

function checksum(text: string): string {
  let rest = crc32(text);
  let digits = "";
  for (let position = 0; position < CHECKSUM_CHARS; position++) {
    digits = BASE62[rest % 62] + digits;
    rest = Math.floor(rest / 62);
  }
  return digits;
}
