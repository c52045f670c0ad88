/** Small steps over JSON text in bytes, for readers that look at single keys of it. */
import { DomainError } from "../platform/errors";

export const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

export function hasAt(source: Buffer, at: number, wanted: Buffer): boolean {
  for (let i = 0; i < wanted.length; i += 1) {
    if (source[at + i] !== wanted[i]) return false;
  }
  return true;
}

export function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === 0x0a;
}

/** Where the value of the key that ended before `at` begins; -1 when no colon follows and it was no key. */
export function valueStart(source: Buffer, at: number): number {
  let i = at;
  while (isBlank(source[i] ?? 0)) i += 1;
  if (source[i] !== COLON) return -1;
  i += 1;
  while (isBlank(source[i] ?? 0)) i += 1;
  return i;
}

/** The quote that ends the string whose inside begins at `from`; `end` when there is none before it. */
export function closingQuote(source: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && source[at] !== QUOTE) at += source[at] === BACKSLASH ? 2 : 1;
  return Math.min(at, end);
}

export function parseObject(text: string): Record<string, unknown> | null {
  try {
    return asRecord(JSON.parse(text));
  } catch {
    return null;
  }
}

/** How many bytes the value is as JSON. Errors: UPSTREAM_FAILED: the parser takes any depth, the writer ends the stack. */
export function jsonBytes(value: unknown): number {
  try {
    return Buffer.byteLength(JSON.stringify(value));
  } catch {
    throw new DomainError("UPSTREAM_FAILED", "The provider's answer is nested deeper than any answer can be.");
  }
}

export function asRecord(value: unknown): Record<string, unknown> | null {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}
