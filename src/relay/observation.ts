/** What is to be known of one request when it is over, in plain figures: metrics, traces and the log are written from it once. */

/** How a request ended, for whoever watches. A failure before dispatch ends as its error's code, in lower case. */
export type Outcome =
  | "completed"
  | "aborted"
  | "aborted_early"
  | "cut"
  | "failed"
  | "no_route"
  | "rejected"
  | "unsettled"
  | (string & {});

/** How an attempt ended, without a word of who made it. */
export interface SeenAttempt {
  readonly result: string;
  readonly beganMs: number;
  readonly endedMs: number;
}

/** To look at the clock takes 0.2 to 0.4 µs, which fifty arrivals of content multiply: of one stream in eight the gaps are measured. */
const GAPS_OF_ONE_IN = 8;
let begun = 0;

export class Observation {
  /** As the client gave it, when it was read; of the catalog's names once it was admitted. */
  model: string | null = null;
  streamed = false;
  maxTokens: number | null = null;
  admittedMs: number | null = null;
  /** Waiting for the client to send its body: nobody's doing here. */
  readingMs = 0;
  readonly attempts: SeenAttempt[] = [];
  firstContentMs: number | null = null;
  /** From the end of the provider's answer to the commit of what it cost. */
  settleMs: number | null = null;
  promptTokens = 0;
  completionTokens = 0;
  bytesIn = 0;
  bytesOut = 0;
  outcome: Outcome = "failed";
  endedMs = 0;
  private lastContentMs = 0;
  private readonly hasGapsMeasured: boolean;

  constructor(
    readonly requestId: string,
    /** One of the relay's own operations. */
    readonly operation: string,
    /** By which the client connects its trace with ours; as sent, not checked. */
    readonly traceparent: string | undefined,
    /** On the clock of performance.now(). */
    readonly startedMs: number,
  ) {
    begun = (begun + 1) % GAPS_OF_ONE_IN;
    this.hasGapsMeasured = begun === 0;
  }

  bodyRead(bytes: number, waitedMs: number): void {
    this.bytesIn = bytes;
    this.readingMs = waitedMs;
  }

  /** Content was passed on. Of a stream whose gaps are measured the milliseconds since the last of it; null otherwise. */
  content(): number | null {
    if (this.firstContentMs !== null && !this.hasGapsMeasured) return null;
    const nowMs = performance.now();
    const gapMs = this.firstContentMs === null ? null : nowMs - this.lastContentMs;
    this.firstContentMs ??= nowMs;
    this.lastContentMs = nowMs;
    return gapMs;
  }

  get durationMs(): number {
    return this.endedMs - this.startedMs;
  }

  /** In us: neither at a provider nor waiting for the client's body. */
  get overheadMs(): number {
    let ownMs = this.durationMs - this.readingMs;
    for (const { beganMs, endedMs } of this.attempts) ownMs -= endedMs - beganMs;
    return Math.max(0, ownMs);
  }
}

/** Told of every request that was admitted, once, when it is over. Must neither wait nor throw. */
export type Watcher = (seen: Observation) => void;

const names = new Map<string, string>();

/** `/v1/chat/completions` is chat_completions, `/v1/models/{model}` is models. Only for paths that are routes of ours: each is remembered. */
export function operationName(path: string): string {
  let name = names.get(path);
  if (name === undefined) {
    name = path
      .replace(/^\/v1\//, "")
      .replaceAll(/\/\{\w+\}/g, "")
      .replaceAll(/\W+/g, "_");
    names.set(path, name);
  }
  return name;
}
