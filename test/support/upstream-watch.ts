/** Looks on while a relay calls its providers: the instants of every attempt, taken inside the process, and nothing changed. */
import type { UpstreamAttempt, UpstreamHandler } from "../../src/upstreams/upstreams";
import type { WorldRelay } from "./relay-world";

export interface WatchedAttempt {
  readonly attempt: UpstreamAttempt;
  /** All on the clock of performance.now(); null: not yet. */
  readonly dispatchedMs: number;
  headMs: number | null;
  cancelledMs: number | null;
  overMs: number | null;
  status: number | null;
  /** Of the body. */
  bytes: number;
}

export interface UpstreamWatch {
  /** Oldest first. */
  readonly attempts: WatchedAttempt[];
  readonly last: WatchedAttempt;
  stop(): void;
}

export function watchUpstreams({ services: { upstreams } }: WorldRelay): UpstreamWatch {
  const attempts: WatchedAttempt[] = [];
  const dispatch = upstreams.dispatch.bind(upstreams);
  upstreams.dispatch = (attempt, handler) => {
    const seen: WatchedAttempt = {
      attempt,
      dispatchedMs: performance.now(),
      headMs: null,
      cancelledMs: null,
      overMs: null,
      status: null,
      bytes: 0,
    };
    attempts.push(seen);
    const { cancel } = dispatch(attempt, watched(handler, seen));
    return {
      cancel(reason) {
        seen.cancelledMs ??= performance.now();
        cancel(reason);
      },
    };
  };
  return {
    attempts,
    get last() {
      return attempts.at(-1)!;
    },
    stop() {
      upstreams.dispatch = dispatch;
    },
  };
}

/** The instant is taken before the relay hears of it. */
function watched(handler: UpstreamHandler, seen: WatchedAttempt): UpstreamHandler {
  return {
    onStart(exchange, status, headers) {
      seen.headMs = performance.now();
      seen.status = status;
      handler.onStart(exchange, status, headers);
    },
    onBytes(chunk) {
      seen.bytes += chunk.length;
      handler.onBytes(chunk);
    },
    onEnd() {
      seen.overMs = performance.now();
      handler.onEnd();
    },
    onError(error) {
      seen.overMs = performance.now();
      handler.onError(error);
    },
  };
}
