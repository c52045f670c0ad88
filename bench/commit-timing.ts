/** Times the group commits of this process at the driver, because added latency is promised beside one of them. */
import { Client } from "pg";

export interface CommitTimes {
  readonly count: number;
  readonly latenciesMs: readonly number[];
}

/** Returns what was timed since the last call. */
export function timeCommits(statementName: string): () => CommitTimes {
  const send = Client.prototype.query as (...args: unknown[]) => unknown;
  let latenciesMs: number[] = [];
  Client.prototype.query = function (this: Client, ...args: unknown[]) {
    const callback = args.at(-1);
    if ((args[0] as { name?: unknown }).name === statementName && typeof callback === "function") {
      const sentMs = performance.now();
      args[args.length - 1] = (...answer: unknown[]) => {
        latenciesMs.push(performance.now() - sentMs);
        callback(...answer);
      };
    }
    return send.apply(this, args);
  } as typeof Client.prototype.query;
  return () => {
    const taken = latenciesMs;
    latenciesMs = [];
    return { count: taken.length, latenciesMs: taken };
  };
}
