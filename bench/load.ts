/** Sends requests and times them: closed loop, a given number of clients, kept-alive connections. */
import { Pool } from "undici";

export interface Target {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly tls?: { ca: string; cert: string; key: string };
}

export interface Run {
  readonly requests: number;
  readonly failures: number;
  readonly seconds: number;
  readonly latenciesMs: number[];
}

const CONTENT = Buffer.from('"content":"');
const EMPTY = Buffer.from('"content":""');

export class Load {
  private readonly pool: Pool;

  constructor(
    private readonly target: Target,
    clients: number,
  ) {
    this.pool = new Pool(target.url, {
      connections: clients,
      pipelining: 1,
      ...(target.tls === undefined ? {} : { connect: target.tls }),
    });
  }

  /** `clients` loops for `durationMs`; each latency is to the end of the answer, or to its first content with `toContent`. */
  async run(body: Buffer, options: { clients: number; durationMs: number; toContent?: boolean }): Promise<Run> {
    const latenciesMs: number[] = [];
    let failures = 0;
    const startedMs = performance.now();
    const client = async () => {
      while (performance.now() - startedMs < options.durationMs) {
        const latencyMs = await this.once(body, options.toContent === true);
        if (latencyMs === null) failures += 1;
        else latenciesMs.push(latencyMs);
      }
    };
    await Promise.all(Array.from({ length: options.clients }, client));
    return { requests: latenciesMs.length, failures, seconds: (performance.now() - startedMs) / 1000, latenciesMs };
  }

  close(): Promise<void> {
    return this.pool.destroy();
  }

  private once(body: Buffer, toContent: boolean): Promise<number | null> {
    return new Promise((resolve) => {
      const sentMs = performance.now();
      let ok = false;
      let contentMs: number | null = null;
      this.pool.dispatch(
        {
          method: "POST",
          path: "/v1/chat/completions",
          headers: { "content-type": "application/json", ...this.target.headers },
          body,
        },
        {
          onRequestStart() {},
          onResponseStart(_, status) {
            ok = status === 200;
          },
          onResponseData(_, chunk) {
            if (toContent && contentMs === null && hasContent(chunk)) contentMs = performance.now() - sentMs;
          },
          onResponseEnd() {
            resolve(ok ? (toContent ? contentMs : performance.now() - sentMs) : null);
          },
          onResponseError() {
            resolve(null);
          },
        },
      );
    });
  }
}

function hasContent(chunk: Buffer): boolean {
  for (let at = chunk.indexOf(CONTENT); at !== -1; at = chunk.indexOf(CONTENT, at + 1)) {
    if (!chunk.subarray(at, at + EMPTY.length).equals(EMPTY)) return true;
  }
  return false;
}
