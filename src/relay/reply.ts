/** What the client of one request is sent: heads that say what is known, the end, or the error in its place. */
import type { ServerResponse } from "node:http";
import type { UsageOutcome } from "../../schema/enums";
import type { Metering } from "../metering/metering";
import { formatNano } from "../money/nano";
import { DomainError } from "../platform/errors";
import type { Admission } from "./admission";
import { type AnswerFacts, COST_HEADER, streamHeaders, wholeHeaders } from "./answer-headers";
import { BufferedAnswer, StreamAnswer } from "./answers";
import type { InferenceRequest } from "./operations/operation";
import type { Turn } from "./turn";

export type RelayAnswer = StreamAnswer | BufferedAnswer;

interface Replied {
  readonly request: InferenceRequest;
  readonly admission: Admission;
  readonly turn: Turn;
  readonly response: ServerResponse;
}

export class Reply {
  /** Null until it is known. */
  costNanoCredit: bigint | null = null;
  /** Attempts that have ended. */
  attempts = 0;

  constructor(
    private readonly metering: Metering,
    private readonly its: Replied,
  ) {}

  /** The head of a stream; a comment in a long silence may have brought it before the first content. */
  open(): void {
    const { admission, turn } = this.its;
    if (turn.client.begun) return;
    turn.client.begin(200, streamHeaders(this.facts(this.attempts + 1)), admission.permit.allowance.headers());
  }

  /** Its charge is on record. */
  complete(answer: RelayAnswer): void {
    const { admission, turn } = this.its;
    if (answer instanceof StreamAnswer) {
      answer.finish();
      turn.client.end(null, this.trailers());
      return;
    }
    const { body } = answer;
    const headers = wholeHeaders(this.facts(), body.length, this.costNanoCredit);
    turn.client.begin(200, headers, admission.permit.allowance.headers());
    turn.client.end(body);
  }

  /** Once a stream has begun, with whatever, its status is gone: the error is its last event. */
  fail(error: DomainError, answer?: RelayAnswer): void {
    const { admission, request, response, turn } = this.its;
    admission.permit.allowance.headersTo(response);
    if (!request.stream || !turn.client.begun) return turn.client.fail(admission.requestId, error);
    turn.client.end(this.errorEvent(error, answer), this.trailers());
  }

  /** What a repeat of the request is to be answered, where it has a key: on record before anything is charged. */
  async store(answer: RelayAnswer, outcome: UsageOutcome): Promise<void> {
    const { admission, turn } = this.its;
    if (turn.store === null) return;
    if (answer instanceof BufferedAnswer) {
      const head = { status: 200, headers: wholeHeaders(this.facts(), answer.body.length, null) };
      return turn.store({ head, bytes: answer.body }, admission.leaseId);
    }
    const error = outcome === "PARTIAL" ? brokeOff() : abandoned();
    const bytes = outcome === "COMPLETED" ? answer.last : this.errorEvent(error, answer);
    await turn.store({ head: null, bytes }, admission.leaseId);
  }

  private errorEvent(error: DomainError, answer?: RelayAnswer): Buffer {
    const failed = answer instanceof StreamAnswer ? answer.failedEvent : null;
    const events = answer instanceof StreamAnswer && answer.committed ? answer.events : 0;
    return failed ?? Buffer.from(this.its.request.operation.stream.errorEvent(error, events));
  }

  private facts(attempts = this.attempts): AnswerFacts {
    const { admission } = this.its;
    return {
      requestId: admission.requestId,
      attempts,
      heldNanoCredit: admission.heldNanoCredit,
      creditLeftNanoCredit: this.metering.creditLeft(admission),
    };
  }

  private trailers() {
    return this.costNanoCredit === null ? null : { [COST_HEADER]: formatNano(this.costNanoCredit) };
  }
}

export const brokeOff = () =>
  new DomainError("UPSTREAM_TRUNCATED", "The provider's answer broke off. What was delivered is charged.");

const abandoned = () =>
  new DomainError(
    "ANSWER_ABANDONED",
    "The client of the first request with this key left here. What was delivered is charged; use a new key to have it answered whole.",
  );
