/** Stands in for the GPU: counts prompt tokens by a published rule and makes the same text and vectors for the same input. */
import { crc32 } from "node:zlib";

export interface Model {
  id: string;
  contextLength: number;
  /** One request's pace; it is also what a published throughput would be checked against. */
  decodeTokensPerSecond: number;
  timeToFirstTokenMs: number;
}

export interface Message {
  role: string;
  content?: string | { type: string; text?: string }[] | null;
}

/** Lower-case words and nothing that JSON would escape, so a chunk can be put between two constant strings. */
const WORDS =
  "idle power keeps moving through quiet racks while spare cycles become useful work and every token finds a warm core near the data that asked for it".split(
    " ",
  );
const SENTENCE_TOKENS = 12;
const ANSWER_TOKENS_MIN = 24;
const ANSWER_TOKENS_SPREAD = 72;
export const EMBEDDING_DIMENSIONS = 64;

export function textOf({ content }: Message): string {
  if (typeof content === "string") return content;
  return (content ?? []).map((part) => part.text ?? "").join("");
}

/** The published rule: ceil(UTF-8 bytes / 4) for each text, and for chats 4 per message and 3 per request. */
export const textTokens = (text: string): number => Math.ceil(Buffer.byteLength(text) / 4);

export function chatTokens(messages: readonly Message[]): number {
  return messages.reduce((sum, message) => sum + 4 + textTokens(textOf(message)), 3);
}

/** An answer whose every chunk is one token; `tokens` is already cut to the caller's limit. */
export interface Answer {
  tokens: number;
  finishReason: "stop" | "length";
  chunk(index: number): string;
  whole(): string;
}

export function answer(messages: readonly Message[], tokensMax: number): Answer {
  const seed = seedOf(messages.map(textOf));
  const wanted = ANSWER_TOKENS_MIN + (seed % ANSWER_TOKENS_SPREAD);
  const tokens = Math.min(wanted, tokensMax);
  const chunk = (index: number) => {
    const word = WORDS[mix(seed + index) % WORDS.length] ?? "";
    const place = index % SENTENCE_TOKENS;
    const stop = place === SENTENCE_TOKENS - 1 || index === wanted - 1 ? "." : "";
    return `${index === 0 ? "" : " "}${place === 0 ? word.charAt(0).toUpperCase() + word.slice(1) : word}${stop}`;
  };
  return {
    tokens,
    finishReason: wanted <= tokensMax ? "stop" : "length",
    chunk,
    whole: () => Array.from({ length: tokens }, (_, index) => chunk(index)).join(""),
  };
}

/** A unit vector that depends on nothing but the text. */
export function embedding(text: string, dimensions = EMBEDDING_DIMENSIONS): number[] {
  const seed = seedOf([text]);
  const raw = Array.from({ length: dimensions }, (_, index) => mix(seed + index) / 2 ** 31 - 1);
  const length = Math.hypot(...raw);
  return raw.map((value) => value / length);
}

function seedOf(texts: readonly string[]): number {
  return texts.reduce((checksum, text) => crc32(text, checksum), 0);
}

/** The finaliser of MurmurHash3: neighbouring numbers come out unrelated. */
function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
