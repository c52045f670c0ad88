/** Writes an answer at the pace of a GPU, streamed or whole, and stops at once when the client goes away. */
import type { ServerResponse } from "node:http";
import type { Behaviour } from "./faults";
import type { Model } from "./generation";

export interface Generation {
  response: ServerResponse;
  model: Model;
  /** False: as fast as possible. */
  pace: boolean;
  behaviour: Behaviour;
  /** Told once for each token as it is made. */
  onTokens(count: number): void;
}

/** How a stream is told: what comes before the first token, with each, and after the last. */
export interface Told {
  tokens: number;
  begin: string;
  token(index: number): string;
  end(): string;
}

export function stream(told: Told, { response, model, pace, behaviour, onTokens }: Generation): void {
  const startedAtMs = performance.now();
  const dueAtMs = (index: number) =>
    pace ? startedAtMs + model.timeToFirstTokenMs + (index * 1000) / model.decodeTokensPerSecond : startedAtMs;
  let timer: NodeJS.Timeout | undefined;
  let next = 0;

  const begin = () => {
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
    response.write(told.begin);
  };
  const faultDue = (): boolean => {
    if (!("afterChunks" in behaviour) || next < Math.min(behaviour.afterChunks ?? 0, told.tokens)) return false;
    if (behaviour.mode === "cut") response.socket?.destroySoon(); // What was written leaves first.
    return true;
  };
  const pump = (): void => {
    // Due times are absolute: a late timer sends what has become due together and the pace does not drift.
    for (; next < told.tokens; next++) {
      if (response.destroyed || faultDue()) return;
      const waitMs = dueAtMs(next) - performance.now();
      if (waitMs > 0) {
        timer = setTimeout(pump, waitMs);
        return;
      }
      if (next === 0) begin();
      onTokens(1);
      if (!response.write(told.token(next))) {
        next++;
        // Back-pressure: a reader that does not keep up stops the generation instead of filling our memory.
        response.once("drain", pump);
        return;
      }
    }
    if (faultDue()) return;
    if (told.tokens === 0) begin();
    response.end(told.end());
  };
  response.once("close", () => clearTimeout(timer));
  pump();
}

export function whole(tokens: number, body: string, { response, model, pace, behaviour, onTokens }: Generation): void {
  const startedAtMs = performance.now() + model.timeToFirstTokenMs;
  const durationMs = model.timeToFirstTokenMs + (tokens * 1000) / model.decodeTokensPerSecond;
  const send = () => {
    onTokens(tokens);
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
    if (behaviour.mode !== "cut") return response.end(body);
    response.write(body.slice(0, body.length / 2));
    response.socket?.destroySoon();
  };
  if (!pace) return void send();
  const timer = setTimeout(send, durationMs);
  response.once("close", () => {
    clearTimeout(timer);
    if (response.writableEnded || response.headersSent) return;
    const made = Math.floor(((performance.now() - startedAtMs) / 1000) * model.decodeTokensPerSecond);
    onTokens(Math.max(0, Math.min(made, tokens)));
  });
}
