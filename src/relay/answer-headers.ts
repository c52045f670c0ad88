/** What an answer says of itself beside its body: the request's id, its tries, what it cost, what is held and what is left. */
import { formatNano } from "../money/nano";

export const COST_HEADER = "x-exergy-cost";

export interface AnswerFacts {
  readonly requestId: string;
  readonly attempts: number;
  readonly heldNanoCredit: bigint;
  /** Null: unknown here without asking the ledger. */
  readonly creditLeftNanoCredit: bigint | null;
}

function common(facts: AnswerFacts): Record<string, string> {
  const headers: Record<string, string> = {
    "x-request-id": facts.requestId,
    "x-exergy-attempts": `${facts.attempts}`,
    "x-exergy-held": formatNano(facts.heldNanoCredit),
  };
  if (facts.creditLeftNanoCredit !== null)
    headers["x-exergy-credit-remaining"] = formatNano(facts.creditLeftNanoCredit);
  return headers;
}

export function wholeHeaders(facts: AnswerFacts, contentLength: number, costNanoCredit: bigint | null) {
  const headers = common(facts);
  headers["content-type"] = "application/json";
  headers["content-length"] = `${contentLength}`;
  if (costNanoCredit !== null) headers[COST_HEADER] = formatNano(costNanoCredit);
  return headers;
}

/** Its cost is known at its end: it follows as a trailer. */
export function streamHeaders(facts: AnswerFacts): Record<string, string> {
  const headers = common(facts);
  headers["content-type"] = "text/event-stream; charset=utf-8";
  headers["cache-control"] = "no-cache";
  headers["x-accel-buffering"] = "no";
  headers.trailer = COST_HEADER;
  return headers;
}
