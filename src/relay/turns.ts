/** Gives requests their turns: by their idempotency key, or, where they have none, by what was tried shortly before. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { formatNano } from "../money/nano";
import { COST_HEADER } from "./answer-headers";
import { AnswerRecord, RecordBudget } from "./answer-record";
import type { Payer } from "./authenticate";
import { ClientConnection } from "./client-connection";
import type { RelayDependencies } from "./context";
import { follow, replay } from "./follow";
import { idempotencyKeyOf, KeyedTurn } from "./keyed-turn";
import type { RelayMetrics } from "./metrics";
import { RetryTalk } from "./retry-talk";
import { RetryTurn } from "./retry-turn";
import { Tries, type Try } from "./tries";
import type { Turn } from "./turn";

export interface Asking {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly viewer: Payer;
  readonly requestId: string;
  /** Of the route. */
  readonly path: string;
  /** SHA-256 of the body. */
  readonly requestHash: string;
}

/** Answers of requests with a key, until they are stored. */
const KEYED_BYTES_MAX = 268_435_456;
const SWEEP_MS = 10_000;

export class Turns {
  private readonly tries: Tries;
  private readonly talk: RetryTalk;
  private readonly keyedBudget = new RecordBudget(KEYED_BYTES_MAX);
  /** By socket: what was last tried on it. */
  private readonly latest = new WeakMap<Socket, Try>();
  private readonly sweeping: NodeJS.Timeout;

  constructor(
    private readonly its: RelayDependencies,
    private readonly metrics: RelayMetrics,
  ) {
    this.tries = new Tries(() => performance.now());
    this.talk = new RetryTalk({
      bus: its.bus,
      tries: this.tries,
      kept: its.keptAnswers,
      answeredWithinMs: its.config.upstream.totalTimeoutMs,
    });
    this.sweeping = setInterval(() => this.tries.sweep(), SWEEP_MS).unref();
  }

  /** Null: it was answered from an earlier one. Errors: BAD_USER_INPUT, those of a key's claim. Without key and retry: no waiting. */
  take(asking: Asking): Turn | Promise<Turn | null> {
    const key = idempotencyKeyOf(asking.request);
    if (key !== null) return this.byKey(asking, key);
    const { request, viewer, path, requestHash } = asking;
    this.hear(request);
    const fingerprint = `${viewer.keyId} ${path} ${requestHash}`;
    const count = retryCountOf(request);
    return count === 0 ? this.first(asking, fingerprint, 0) : this.again(asking, fingerprint, count);
  }

  close(): void {
    clearInterval(this.sweeping);
    this.talk.close();
  }

  private first({ request, response }: Asking, fingerprint: string, count: number): Turn {
    const entry = this.tries.begin(fingerprint, count);
    if (isDirect(request)) this.latest.set(request.socket, entry);
    return new RetryTurn(this.tries, entry, new ClientConnection(response, entry.record));
  }

  private async again(asking: Asking, fingerprint: string, count: number): Promise<Turn | null> {
    const { response, requestId } = asking;
    const found = this.tries.match(fingerprint, count);
    if (found !== null && found !== "FAILED") {
      this.metrics.repetitions.inc({ kind: found.phase === "ANSWERED" ? "replayed" : "joined" });
      await follow(found.record, response, requestId);
      return null;
    }
    const elsewhere = found === null ? await this.talk.seek(fingerprint, count) : null;
    if (elsewhere === null) return this.first(asking, fingerprint, count);
    this.metrics.repetitions.inc({ kind: "elsewhere" });
    replay(elsewhere, response);
    return null;
  }

  private async byKey(asking: Asking, key: string): Promise<Turn | null> {
    const { response, viewer, requestId, path, requestHash } = asking;
    const { keptAnswers, log } = this.its;
    const claim = { organisationId: viewer.organisationId, key, requestId, fingerprint: `${path} ${requestHash}` };
    const first = await keptAnswers.claim(claim);
    if (first === null) {
      const record = new AnswerRecord(this.keyedBudget);
      const onFault = (err: unknown) => log.warn({ err, requestId }, "an idempotency key could not be given back");
      return new KeyedTurn(keptAnswers, claim, new ClientConnection(response, record), record, onFault);
    }
    this.metrics.repetitions.inc({ kind: "kept" });
    const headers = { ...first.answer.headers, [COST_HEADER]: formatNano(first.chargeNanoCredit) };
    replay({ ...first.answer, headers }, response);
    return null;
  }

  /** On a connection without a proxy in between, a client that sends the next request has had the answer to the one before. */
  private hear(request: IncomingMessage): void {
    const earlier = this.latest.get(request.socket);
    if (earlier !== undefined) this.tries.received(earlier);
  }
}

function retryCountOf({ headers }: IncomingMessage): number {
  const text = headers["x-stainless-retry-count"];
  return typeof text === "string" && /^\d{1,3}$/.test(text) ? Number(text) : 0;
}

function isDirect({ headers }: IncomingMessage): boolean {
  return headers.via === undefined && headers["x-forwarded-for"] === undefined && headers.forwarded === undefined;
}
