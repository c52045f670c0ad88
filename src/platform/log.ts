/** The process log: JSON lines by pino, or short readable lines on a terminal; secrets and prompts never reach either. */
import pino, { type Logger, type LoggerOptions } from "pino";

export type Log = Logger;
export type LogLevel = "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "silent";

export interface LogOptions {
  level: LogLevel;
  /** One readable line per entry instead of JSON. */
  pretty?: boolean;
  /** Where finished lines go; standard output unless told. */
  write?: (line: string) => void;
}

/** `parameters` are the bind values that a failed query carries: they may be any of the others. */
const secretNames = [
  "authorization",
  "Authorization",
  "cookie",
  "set-cookie",
  "x-exergy-relay-token",
  "apiKey",
  "secret",
  "password",
  "privateKey",
  "parameters",
  "prompt",
  "messages",
  "completion",
];

/** Deep enough for `{ req: { headers: { authorization } } }` and `{ err: { request: { headers: { … } } } }`. */
const depthMax = 4;

export function createLog(options: LogOptions): Log {
  const pinoOptions: LoggerOptions = {
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: redactedPaths(), censor: "[redacted]" },
  };
  const write = options.write ?? ((line: string) => void process.stdout.write(line));
  if (options.pretty) return pino(pinoOptions, { write: (line) => write(readableLine(line)) });
  return options.write ? pino(pinoOptions, { write }) : pino(pinoOptions);
}

function redactedPaths(): string[] {
  return secretNames.flatMap((name) =>
    Array.from({ length: depthMax }, (_, depth) => `${Array(depth).fill("*").join(".")}["${name}"]`),
  );
}

/** `12:00:00.123 WARN  message  key=value`, the stack of an error below it. */
function readableLine(json: string): string {
  const { time, level, msg, err, ...rest } = JSON.parse(json) as Record<string, unknown>;
  const fields = Object.entries(rest).map(([key, value]) => `  ${key}=${plainText(value)}`);
  const failure = err as { stack?: string; message?: string } | undefined;
  const below = failure ? `\n${failure.stack ?? failure.message ?? plainText(failure)}` : "";
  return `${String(time).slice(11, 23)} ${String(level).toUpperCase().padEnd(5)} ${msg ?? ""}${fields.join("")}${below}\n`;
}

function plainText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
