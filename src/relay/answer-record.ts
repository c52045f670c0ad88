/** What one request was answered so far, for whoever asks for the same again: bounded, and followed by others while it grows. */
import type { DomainError } from "../platform/errors";

export interface AnswerHead {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

export type Trailers = Readonly<Record<string, string>>;

/** Hears what the record hears, from the moment it began to listen. */
export interface Follower {
  begin(head: AnswerHead): void;
  write(bytes: Buffer): void;
  end(trailers: Trailers | null): void;
  fail(error: DomainError): void;
}

/** How much all records that share it may hold together. */
export class RecordBudget {
  private heldBytes = 0;

  constructor(private readonly bytesMax: number) {}

  take(bytes: number): boolean {
    if (this.heldBytes + bytes > this.bytesMax) return false;
    this.heldBytes += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.heldBytes -= bytes;
  }
}

/** Of one answer; what is larger is not replayed. */
export const RECORD_BYTES_MAX = 1_048_576;
const FIRST_BYTES = 2_048;
const nothing = Buffer.alloc(0);

/**
 * Chunks of a stream are copied into one growing buffer: kept as they came, thousands of small ones were more garbage to
 * collect than they are bytes.
 */
export class AnswerRecord {
  head: AnswerHead | null = null;
  trailers: Trailers | null = null;
  /** It has all that the client was to get, in `body`. */
  ended = false;
  /** It outgrew its bounds, and has nothing. */
  overflowed = false;
  /** Nobody follows it any more. */
  onAlone: (() => void) | null = null;
  private readonly followers = new Set<Follower>();
  private bytes: Buffer = nothing;
  private length = 0;

  constructor(private readonly budget: RecordBudget) {}

  get body(): Buffer {
    return this.length === this.bytes.length ? this.bytes : this.bytes.subarray(0, this.length);
  }

  get followed(): boolean {
    return this.followers.size > 0;
  }

  get heldBytes(): number {
    return this.bytes.length;
  }

  begin(head: AnswerHead): void {
    this.head = head;
    for (const follower of this.followers) follower.begin(head);
  }

  write(bytes: Buffer): void {
    if (!this.overflowed) this.append(bytes);
    for (const follower of this.followers) follower.write(bytes);
  }

  /** `last`: a whole answer, which is kept and not copied. */
  end(last: Buffer | null, trailers: Trailers | null): void {
    if (last !== null && !this.overflowed) {
      if (this.length === 0 && last.length <= RECORD_BYTES_MAX && this.budget.take(last.length)) {
        this.bytes = last;
        this.length = last.length;
      } else this.append(last);
    }
    this.trailers = trailers;
    this.ended = true;
    for (const follower of this.followers) {
      if (last !== null) follower.write(last);
      follower.end(trailers);
    }
    this.followers.clear();
  }

  /** Instead of an answer. */
  fail(error: DomainError): void {
    for (const follower of this.followers) follower.fail(error);
    this.followers.clear();
    this.clear();
  }

  /** Tells what there is, and then what comes. Not to be called when it has overflowed. Returns how to leave. */
  follow(follower: Follower): () => void {
    if (this.head !== null) follower.begin(this.head);
    if (this.length > 0) follower.write(this.body);
    if (this.ended) {
      follower.end(this.trailers);
      return () => undefined;
    }
    this.followers.add(follower);
    return () => {
      if (this.followers.delete(follower) && this.followers.size === 0) this.onAlone?.();
    };
  }

  /** Lets go of what it has; nobody can follow it from here on. */
  clear(): void {
    this.overflowed = true;
    this.budget.giveBack(this.bytes.length);
    this.bytes = nothing;
    this.length = 0;
  }

  private append(chunk: Buffer): void {
    const needed = this.length + chunk.length;
    if (needed > this.bytes.length && !this.grow(needed)) return this.clear();
    chunk.copy(this.bytes, this.length);
    this.length = needed;
  }

  private grow(needed: number): boolean {
    if (needed > RECORD_BYTES_MAX) return false;
    const size = Math.min(RECORD_BYTES_MAX, Math.max(FIRST_BYTES, needed, this.bytes.length * 2));
    if (!this.budget.take(size - this.bytes.length)) return false;
    const grown = Buffer.allocUnsafeSlow(size);
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
    return true;
  }
}
