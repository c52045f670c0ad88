/** Answers kept under an idempotency key: claimed before the request runs, stored before it is settled, valid once it is. */
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError } from "../platform/errors";
import { Seal } from "../platform/seal";
import { claimText, lookText } from "./kept-answer-sql";
import { outlast, PATIENCE_MS } from "./outage";

/** An answer as it went out, or was to. */
export interface WholeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface KeyClaim {
  readonly organisationId: string;
  readonly key: string;
  readonly requestId: string;
  /** SHA-256 of route and body. */
  readonly fingerprint: string;
}

/** What somebody else was answered, and charged, under the same key. */
export interface Repetition {
  readonly requestId: string;
  readonly chargeNanoCredit: bigint;
  readonly answer: WholeAnswer;
}

export const KEPT_FOR_MS = 86_400_000;
/** Of head and body together. */
export const KEPT_BYTES_MAX = 1_048_576;
/** Who serves a request says so this often. */
export const RENEW_MS = 3_000;
/** Whoever was silent for so long has died, or may as well have: what it did not store it can store no more. */
export const SILENT_AFTER_MS = 15_000;
/** Between two looks a claim may go or be taken over by another; each round somebody gets further. */
const ROUNDS_MAX = 4;
const FORGET_BATCH = 1_000;

interface Look {
  readonly request_id: string;
  readonly fingerprint: string;
  readonly sealed: Buffer | null;
  readonly charge: string | null;
  readonly open_hold_of_the_dead: boolean;
}

export interface KeptAnswersDependencies {
  readonly db: Database;
  readonly clock: Clock;
  /** 32 bytes. */
  readonly key: Buffer;
  /** Frees what is held in the ledger for a request. */
  readonly release: (requestId: string, organisationId: string) => Promise<void>;
}

export class KeptAnswers {
  private readonly seal: Seal;
  /** Requests of this process that have a key and no answer yet. */
  private readonly claimed = new Set<string>();

  constructor(private readonly its: KeptAnswersDependencies) {
    this.seal = new Seal(its.key);
  }

  /**
   * Null: the key is this request's, go on; otherwise what its first request was answered.
   * Errors: IDEMPOTENCY_KEY_REUSED, REQUEST_IN_FLIGHT, ANSWER_NOT_KEPT, DATABASE_UNAVAILABLE.
   */
  async claim(claim: KeyClaim): Promise<Repetition | null> {
    for (let round = 1; round <= ROUNDS_MAX; round++) {
      if (await this.take(claim)) {
        this.claimed.add(claim.requestId);
        return null;
      }
      const first = await this.look(claim);
      if (first === undefined) continue;
      if (first.fingerprint !== claim.fingerprint) {
        throw new DomainError("IDEMPOTENCY_KEY_REUSED", "This idempotency key came with another request before.", {
          field: "Idempotency-Key",
        });
      }
      if (first.charge !== null) return this.repeat(claim, first, BigInt(first.charge));
      if (!first.open_hold_of_the_dead) break;
      // It died between storing and settling. Once its hold is free it can settle no more; if it had settled, this changes nothing.
      await this.its.release(first.request_id, claim.organisationId);
    }
    throw new DomainError("REQUEST_IN_FLIGHT", "The first request with this idempotency key still runs.");
  }

  /**
   * To be called before the settlement, which must not follow when this fails.
   * Errors: SETTLEMENT_REFUSED when the key was taken over, DATABASE_UNAVAILABLE.
   */
  async store(claim: KeyClaim, answer: WholeAnswer | null, leaseId: string | null): Promise<void> {
    const sealed = answer === null ? null : this.sealAnswer(answer, placeOf(claim));
    const kept = sealed !== null && sealed.length <= KEPT_BYTES_MAX ? sealed : null;
    const rows = await this.query<{ request_id: string }>(
      {
        name: "kept-answer-store",
        text: `UPDATE kept_answer SET stored_at = $4, renewed_at = $4, lease_id = $5, sealed = $6
                WHERE organisation_id = $1 AND key = $2 AND request_id = $3 RETURNING request_id`,
      },
      [claim.organisationId, claim.key, claim.requestId, this.its.clock.now(), leaseId, kept],
    );
    if (rows.length === 0) {
      throw new DomainError("SETTLEMENT_REFUSED", "The idempotency key was taken over by a later request.");
    }
  }

  /** Nothing was charged: the key is free for the next try. Repeating it is harmless. Errors: DATABASE_UNAVAILABLE. */
  async forgo({ organisationId, key, requestId }: KeyClaim): Promise<void> {
    this.claimed.delete(requestId);
    await this.query(
      {
        name: "kept-answer-forgo",
        text: `DELETE FROM kept_answer k WHERE k.organisation_id = $1 AND k.key = $2 AND k.request_id = $3
                  AND NOT EXISTS (SELECT FROM usage_record u WHERE u.id = k.request_id)`,
      },
      [organisationId, key, requestId],
    );
  }

  /** The request is over, however it ended: from now on nobody says that it lives. */
  ended({ requestId }: KeyClaim): void {
    this.claimed.delete(requestId);
  }

  /** To be repeated every RENEW_MS where requests are served. Errors: those of pg. */
  async renew(): Promise<void> {
    if (this.claimed.size === 0) return;
    await this.its.db.query(
      { name: "kept-answer-renew", text: "UPDATE kept_answer SET renewed_at = $2 WHERE request_id = ANY ($1)" },
      [[...this.claimed], this.its.clock.now()],
    );
  }

  /** Forgets what is a day old. Returns how many. Errors: those of pg. */
  async forget(): Promise<number> {
    const before = new Date(this.its.clock.nowMs() - KEPT_FOR_MS);
    for (let forgotten = 0; ; ) {
      const rows = await this.its.db.query(
        {
          name: "kept-answer-forget",
          text: `DELETE FROM kept_answer WHERE ctid = ANY (ARRAY(
                   SELECT ctid FROM kept_answer WHERE claimed_at <= $1 ORDER BY claimed_at LIMIT ${FORGET_BATCH} FOR UPDATE SKIP LOCKED))
                 RETURNING request_id`,
        },
        [before],
      );
      forgotten += rows.length;
      if (rows.length < FORGET_BATCH) return forgotten;
    }
  }

  /** For its way to another process. */
  sealAnswer({ status, headers, body }: WholeAnswer, place: string): Buffer {
    const head = Buffer.from(JSON.stringify({ status, headers }));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(head.length);
    return this.seal.seal(Buffer.concat([length, head, body]), place);
  }

  /** Errors: when it was sealed for another place, with another key, or was changed. */
  openAnswer(sealed: Buffer, place: string): WholeAnswer {
    const plain = this.seal.open(sealed, place);
    const bodyStart = 4 + plain.readUInt32BE(0);
    return { ...JSON.parse(plain.toString("utf8", 4, bodyStart)), body: plain.subarray(bodyStart) };
  }

  private async take({ organisationId, key, requestId, fingerprint }: KeyClaim): Promise<boolean> {
    const now = this.its.clock.now();
    const rows = await this.query<{ request_id: string }>({ name: "kept-answer-claim", text: claimText }, [
      organisationId,
      key,
      requestId,
      fingerprint,
      now,
      new Date(now.getTime() - KEPT_FOR_MS),
      new Date(now.getTime() - SILENT_AFTER_MS),
    ]);
    return rows.length > 0;
  }

  private async look({ organisationId, key }: KeyClaim): Promise<Look | undefined> {
    const silentSince = new Date(this.its.clock.nowMs() - SILENT_AFTER_MS);
    const values = [organisationId, key, silentSince];
    return (await this.query<Look>({ name: "kept-answer-look", text: lookText }, values))[0];
  }

  private repeat(claim: KeyClaim, first: Look, chargeNanoCredit: bigint): Repetition {
    const requestId = first.request_id;
    if (first.sealed === null) {
      throw new DomainError(
        "ANSWER_NOT_KEPT",
        `Request ${requestId} was answered under this idempotency key and charged; an answer of more than ${KEPT_BYTES_MAX} bytes is not kept. Use a new key to have it answered, and charged, again.`,
        { details: { requestId, costNanoCredit: chargeNanoCredit } },
      );
    }
    return { requestId, chargeNanoCredit, answer: this.openAnswer(first.sealed, placeOf({ ...claim, requestId })) };
  }

  /** Each statement may be repeated: a claim that is there already is found again by its request. */
  private query<Row extends object>(statement: { name: string; text: string }, values: readonly unknown[]) {
    return outlast(() => this.its.db.query<Row>(statement, values), performance.now() + PATIENCE_MS);
  }
}

const placeOf = ({ organisationId, key, requestId }: Omit<KeyClaim, "fingerprint">): string =>
  `kept_answer:${organisationId}:${requestId}:${key}`;
