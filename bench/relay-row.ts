/** What the rows of the relay's bench have in common: how long each measures, what it asks for, how it prints. */
import { cpus } from "node:os";
import { table } from "./figures";
import { MODEL } from "./provider-answers";
import type { World } from "./relay-world";

export interface Setting {
  readonly quick: boolean;
  readonly rounds: number;
}

export interface Row {
  /** Who is measured beside the relay. */
  readonly peers: readonly string[];
  readonly run: (world: World, setting: Setting) => Promise<void>;
}

const SMALL_PROMPT = "Say in one sentence what exergy is, please, and stop.";

/** `wish` is what the mock provider is to answer. */
export function bodyOf(wish: string, options: { prompt?: string; maxTokens?: number } = {}): string {
  return JSON.stringify({
    model: MODEL,
    user: wish,
    stream: wish !== "whole",
    max_tokens: options.maxTokens ?? 64,
    messages: [{ role: "user", content: options.prompt ?? SMALL_PROMPT }],
  });
}

/** The table for people, one JSON line for machines. */
export function print(
  title: string,
  { head, rows, figures }: { head: readonly string[]; rows: readonly (readonly string[])[]; figures: object },
): void {
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown CPU"}`;
  console.log(`\n${title}\n${table(head, rows)}`);
  console.log(JSON.stringify({ bench: "relay", ...figures, machine, node: process.version }));
}

export const whole = (value: number | null): string => (value === null || Number.isNaN(value) ? "–" : value.toFixed(0));
export const fixed = (value: number): string => (Number.isNaN(value) ? "–" : value.toFixed(2));
export const mebibytes = (bytes: number): string => (bytes / 1_048_576).toFixed(0);
export const rounded = (value: number): number => Number(value.toFixed(3));
