/** Sends requests and times them: closed loop, a given number of clients, kept-alive connections. */
import { RawClient, requestTo, type Target } from "./raw-client";

export interface Run {
  readonly requests: number;
  readonly failures: number;
  readonly seconds: number;
  readonly latenciesMs: number[];
}

export interface LoadOptions {
  readonly clients: number;
  readonly durationMs: number;
  /** It goes on until there were so many, for ten times as long at most: V8 compiles by calls, not by seconds. */
  readonly requestsMin?: number;
  /** Each latency is that to the first content of a stream, not to the end of the answer. */
  readonly toContent?: boolean;
}

const CONTENT = Buffer.from('"content":"');
const QUOTE = 0x22;

/** `clients` loops for `durationMs`. An answer that is not whole, or not 200, is a failure and no latency. */
export async function closedLoop(target: Target, body: string, options: LoadOptions): Promise<Run> {
  const clients = await RawClient.openMany(target, options.clients);
  const request = requestTo(target, body);
  const latenciesMs: number[] = [];
  let failures = 0;
  const startedMs = performance.now();
  const isOver = () => {
    const forMs = performance.now() - startedMs;
    const enough = latenciesMs.length >= (options.requestsMin ?? 0) || forMs >= 10 * options.durationMs;
    return forMs >= options.durationMs && enough;
  };
  const loop = async (client: RawClient) => {
    while (!isOver()) {
      const sentMs = performance.now();
      let contentMs: number | null = null;
      const look = (bytes: Buffer) => {
        if (contentMs === null && hasContent(bytes)) contentMs = performance.now() - sentMs;
      };
      const ok = await client.send(request, options.toContent === true ? look : null);
      const latencyMs = options.toContent === true ? contentMs : performance.now() - sentMs;
      if (ok && latencyMs !== null) latenciesMs.push(latencyMs);
      else {
        failures += 1;
        client.close();
        client = await RawClient.open(target);
      }
    }
    client.close();
  };
  await Promise.all(clients.map(loop));
  return { requests: latenciesMs.length, failures, seconds: (performance.now() - startedMs) / 1000, latenciesMs };
}

function hasContent(bytes: Buffer): boolean {
  for (let at = bytes.indexOf(CONTENT); at !== -1; at = bytes.indexOf(CONTENT, at + 1)) {
    if (bytes[at + CONTENT.length] !== QUOTE) return true;
  }
  return false;
}
