/** The turn of a request with an idempotency key: claimed in the database, and its answer stored there before it is settled. */
import type { IncomingMessage } from "node:http";
import type { KeptAnswers, KeyClaim } from "../metering/kept-answers";
import { DomainError } from "../platform/errors";
import type { AnswerRecord } from "./answer-record";
import type { ClientConnection } from "./client-connection";
import { asDomainError } from "./errors";
import type { Remainder, Turn, TurnEnd } from "./turn";

const KEY_CHARS_MAX = 255;

/** Null: none was sent. Errors: BAD_USER_INPUT. */
export function idempotencyKeyOf(request: IncomingMessage): string | null {
  const key = request.headers["idempotency-key"];
  if (key === undefined) return null;
  if (typeof key === "string" && key.length <= KEY_CHARS_MAX && /^[\x21-\x7e]+$/.test(key)) return key;
  throw new DomainError(
    "BAD_USER_INPUT",
    `An idempotency key is one header of 1 to ${KEY_CHARS_MAX} visible ASCII characters.`,
    { field: "Idempotency-Key" },
  );
}

export class KeyedTurn implements Turn {
  constructor(
    private readonly kept: KeptAnswers,
    private readonly claim: KeyClaim,
    readonly client: ClientConnection,
    private readonly record: AnswerRecord,
    private readonly onFault: (error: unknown) => void,
  ) {}

  readonly store = ({ head, bytes }: Remainder, leaseId: string | null): Promise<void> => {
    const begun = head ?? this.record.head;
    const answer =
      this.record.overflowed || begun === null
        ? null
        : { ...begun, body: this.record.body.length === 0 ? bytes : Buffer.concat([this.record.body, bytes]) };
    return this.kept.store(this.claim, answer, leaseId);
  };

  whole(): void {}

  /** Where this fails, nobody says any more that the request lives: its key is free after a while. */
  free(): Promise<void> {
    return this.kept.forgo(this.claim).catch(this.onFault);
  }

  fail(error: unknown): void {
    this.record.fail(asDomainError(error));
  }

  over(_: TurnEnd): void {
    this.kept.ended(this.claim);
    this.record.clear();
  }
}
