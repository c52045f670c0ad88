/** What comes back from a provider, as the relay passes it on: a stream event by event, or one body kept until it is paid. */
import { DomainError } from "../platform/errors";
import type { ClientConnection } from "./client-connection";
import type { ModelName } from "./model-name";
import type { Operation } from "./operations/operation";
import { type SseEvent, SseScanner } from "./sse";

/** What the relay itself saw; bounds what the provider may claim. */
export interface Delivered {
  deliveredBytes: number;
  contentChunks: number;
  usage: unknown;
}

export interface Answer {
  readonly streamed: boolean;
  readonly delivered: Delivered;
  /** Content reached the client: from here on there is no second provider. */
  readonly committed: boolean;
  /** False: pause the provider. Errors: anything that is no proper answer. */
  accept(chunk: Buffer): boolean;
  /** The whole answer is here. */
  readonly complete: boolean;
  /** The provider closed properly. Errors: DomainError when the answer is not whole. */
  end(): void;
}

const BODY_BYTES_MAX = 33_554_432;

export class StreamAnswer implements Answer {
  readonly streamed = true;
  readonly delivered: Delivered = { deliveredBytes: 0, contentChunks: 0, usage: undefined };
  committed = false;
  complete = false;
  /** Events that went out, or wait to. */
  events = 0;
  private readonly scanner: SseScanner;
  /** The provider's own last event, where the operation's streams end with it: kept until it is paid. */
  private lastEvent: Buffer | null = null;
  /** The same when that event says that it failed. */
  failedEvent: Buffer | null = null;
  private preamble: Buffer[] = [];
  private preambleBytes = 0;
  private readonly preambleBytesMax: number;
  private freshBytes = 0;
  private restatedBytes = 0;

  constructor(
    private readonly options: {
      operation: Operation;
      requestBytes: number;
      client: ClientConnection;
      modelName: ModelName;
      /** The client asked for the usage chunk. */
      passUsage: boolean;
      /** Called once, before the first byte goes out. */
      onCommit: () => void;
      /** Called for every arrival that brought content. */
      onContent: () => void;
    },
  ) {
    const { readData, eventBytesMax, preambleBytesMax } = options.operation.stream;
    this.scanner = new SseScanner(readData, eventBytesMax);
    this.preambleBytesMax = preambleBytesMax(options.requestBytes);
  }

  accept(chunk: Buffer): boolean {
    let keepsUp = true;
    const before = this.delivered.contentChunks;
    for (const event of this.scanner.push(chunk)) {
      if (!this.take(event)) keepsUp = false;
      // The answer is whole; what follows it is no part of it, and no reason to call it broken.
      if (this.complete) break;
    }
    if (this.delivered.contentChunks > before) this.options.onContent();
    return keepsUp;
  }

  end(): void {
    const rest = this.scanner.end();
    // Half an event in front of our own would make both unreadable to the client.
    if (rest?.kind === "DONE" && !this.complete) this.take(rest);
    if (!this.complete) throw new DomainError("UPSTREAM_TRUNCATED", "The provider's answer broke off before its end.");
  }

  /** The settlement is committed: the client may see that the answer is whole. */
  finish(): void {
    // An answer without any content has been held back whole until here.
    if (!this.committed) this.commit();
    this.options.client.write(this.last);
  }

  /** What goes out once the settlement is committed. */
  get last(): Buffer {
    return this.lastEvent ?? Buffer.from(this.options.operation.stream.lastEvent ?? "");
  }

  private take(event: SseEvent): boolean {
    if (event.usage !== undefined) this.delivered.usage = event.usage;
    switch (event.kind) {
      case "DONE":
        this.complete = true;
        this.delivered.deliveredBytes = Math.max(this.delivered.deliveredBytes, event.restatedBytes ?? 0);
        if (this.options.operation.stream.lastEvent === null) this.lastEvent = this.renamed(event.bytes);
        return true;
      case "FAILED":
        this.failedEvent = this.options.operation.stream.failedEvent?.(event.bytes, this.options.modelName) ?? null;
        throw new DomainError("UPSTREAM_FAILED", "The provider reported that its answer failed.");
      case "ERROR":
        throw new DomainError("UPSTREAM_FAILED", "The provider reported an error inside its answer.");
      case "USAGE":
        return this.options.passUsage ? this.pass(event.bytes) : true;
      case "CONTENT":
        this.count(event);
        if (!this.committed) this.commit();
        return this.pass(event.bytes);
      default:
        return this.pass(event.bytes);
    }
  }

  private pass(bytes: Buffer): boolean {
    const named = this.renamed(bytes);
    this.events += 1;
    if (this.committed) return this.options.client.write(named);
    this.preambleBytes += named.length;
    if (this.preambleBytes > this.preambleBytesMax)
      throw new DomainError("UPSTREAM_FAILED", "The provider sent no content.");
    this.preamble.push(named);
    return true;
  }

  /** What comes piece by piece and then whole counts once. */
  private count({ contentBytes, restatedBytes = 0 }: SseEvent): void {
    if (contentBytes > 0) this.delivered.contentChunks += 1;
    this.freshBytes += contentBytes;
    this.restatedBytes += restatedBytes;
    this.delivered.deliveredBytes = Math.max(this.freshBytes, this.restatedBytes);
  }

  private renamed(bytes: Buffer): Buffer {
    return this.options.operation.stream.rename(bytes, this.options.modelName);
  }

  private commit(): void {
    this.committed = true;
    this.options.onCommit();
    if (this.preamble.length > 0) this.options.client.write(Buffer.concat(this.preamble));
    this.preamble = [];
  }
}

export class BufferedAnswer implements Answer {
  readonly streamed = false;
  readonly delivered: Delivered = { deliveredBytes: 0, contentChunks: 0, usage: undefined };
  /** Nothing goes out before it is settled, so another provider can always take over. */
  readonly committed = false;
  complete = false;
  body: Buffer = Buffer.alloc(0);
  private chunks: Buffer[] = [];
  private bytes = 0;

  constructor(
    private readonly operation: Operation,
    private readonly modelName: ModelName,
  ) {}

  accept(chunk: Buffer): boolean {
    this.bytes += chunk.length;
    if (this.bytes > BODY_BYTES_MAX) throw new DomainError("UPSTREAM_FAILED", "The provider's answer is too large.");
    this.chunks.push(chunk);
    return true;
  }

  end(): void {
    const body = this.chunks.length === 1 ? this.chunks[0]! : Buffer.concat(this.chunks);
    const whole = this.operation.readWhole(body);
    if (whole === null) throw new DomainError("UPSTREAM_FAILED", "The provider's answer is not what was asked for.");
    this.delivered.usage = whole.usage;
    this.delivered.deliveredBytes = whole.deliveredBytes;
    this.body = this.operation.rename(body, this.modelName);
    this.complete = true;
  }
}
