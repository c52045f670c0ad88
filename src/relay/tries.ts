/** Which requests were tried a short while ago, so that a client library's automatic retry is known for what it is. No I/O. */
import { AnswerRecord, RecordBudget } from "./answer-record";
import type { ClientConnection } from "./client-connection";
import { EndedTries } from "./ended-tries";

/** RUNNING: until its end. WHOLE: its answer is complete and being settled. ANSWERED, FAILED: over; of a FAILED one nothing was charged. */
export type TryPhase = "RUNNING" | "WHOLE" | "ANSWERED" | "FAILED" | "FORGOTTEN";

export interface Try {
  /** Key, route and body. */
  readonly fingerprint: string;
  readonly record: AnswerRecord;
  /** The latest try of its client that it answers: 0 for the first one. A retry of the same number is another client's. */
  count: number;
  phase: TryPhase;
  client: ClientConnection | null;
  endedMs: number;
  /** What it takes since its end. */
  bytes: number;
  /** Its neighbours among those that are over. */
  before: Try | null;
  after: Try | null;
}

/** The official clients repeat within seconds; with `Retry-After` within a minute. */
export const REMEMBERED_MS = 120_000;
const RUNNING_BYTES_MAX = 33_554_432;
const ENDED_BYTES_MAX = 33_554_432;
const ENDED_MAX = 20_000;
/** What an entry without a body takes. */
const ENTRY_BYTES = 512;

export class Tries {
  private readonly budget = new RecordBudget(RUNNING_BYTES_MAX + ENDED_BYTES_MAX);
  private readonly byFingerprint = new Map<string, Try[]>();
  private readonly ended = new EndedTries();

  constructor(private readonly nowMs: () => number) {}

  begin(fingerprint: string, count: number): Try {
    const entry: Try = {
      fingerprint,
      record: new AnswerRecord(this.budget),
      count,
      phase: "RUNNING",
      client: null,
      endedMs: 0,
      bytes: 0,
      before: null,
      after: null,
    };
    const others = this.byFingerprint.get(fingerprint);
    if (others === undefined) this.byFingerprint.set(fingerprint, [entry]);
    else others.push(entry);
    return entry;
  }

  end(entry: Try, phase: "ANSWERED" | "FAILED" | "FORGOTTEN"): void {
    entry.endedMs = this.nowMs();
    if (phase === "FAILED") entry.record.clear();
    if (phase === "FORGOTTEN" || (phase === "ANSWERED" && entry.record.overflowed)) return this.drop(entry);
    entry.phase = phase;
    entry.bytes = ENTRY_BYTES + entry.record.heldBytes;
    const { ended } = this;
    ended.add(entry);
    while (ended.bytes > ENDED_BYTES_MAX || ended.count > ENDED_MAX) this.drop(ended.oldest!);
  }

  /** Its client is known to have got it. */
  received(entry: Try): void {
    if (entry.phase === "ANSWERED" && entry.client?.left !== true) this.drop(entry);
  }

  /**
   * What the `count`th retry repeats: an answer or a running try to join; "FAILED": a try that came to nothing, so that this one
   * runs anew; null: nothing that is known here. Several tries may look alike, as when one prompt is sent ten times at once. What
   * is surely broken comes first, and each answers one retry of a number, so that no two clients share an answer for long.
   */
  match(fingerprint: string, count: number): Try | "FAILED" | null {
    const alike = this.byFingerprint.get(fingerprint)?.filter((entry) => entry.count < count && !this.isOld(entry));
    if (alike === undefined || alike.length === 0) return null;
    const failed = alike.find((entry) => entry.phase === "FAILED" && entry.count === count - 1);
    const found =
      alike.find((entry) => entry.phase === "ANSWERED" && entry.client?.left === true) ??
      failed ??
      alike.find((entry) => entry.phase === "ANSWERED") ??
      alike.findLast(isJoinable);
    if (found === undefined) return null;
    if (found === failed) {
      this.drop(found);
      return "FAILED";
    }
    found.count = count;
    return found;
  }

  /** Lets go of what is too old to be asked for; to be called every few seconds. */
  sweep(): void {
    const { ended } = this;
    while (ended.oldest !== null && this.isOld(ended.oldest)) this.drop(ended.oldest);
  }

  get size(): number {
    return this.ended.count;
  }

  private isOld({ endedMs }: Try): boolean {
    return endedMs > 0 && this.nowMs() - endedMs > REMEMBERED_MS;
  }

  private drop(entry: Try): void {
    if (entry.phase === "FORGOTTEN") return;
    if (entry.phase === "ANSWERED" || entry.phase === "FAILED") this.ended.remove(entry);
    entry.phase = "FORGOTTEN";
    entry.record.clear();
    entry.client = null;
    const alike = this.byFingerprint.get(entry.fingerprint);
    if (alike === undefined) return;
    if (alike.length === 1) this.byFingerprint.delete(entry.fingerprint);
    else alike.splice(alike.indexOf(entry), 1);
  }
}

/** A try whose client has left is being cancelled, unless its answer was complete by then. */
const isJoinable = ({ phase, record, client }: Try): boolean =>
  !record.overflowed && (phase === "WHOLE" || (phase === "RUNNING" && client?.gone === false));
