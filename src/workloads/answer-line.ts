/** Reads one line of a provider's output file, and writes it anew for the startup: our ids, our name of the model. */
import type { BatchOperation } from "./batch-operation";

export interface ProviderAnswer {
  readonly customId: string;
  readonly succeeded: boolean;
  readonly statusCode: number;
  /** The answer's body; null when there is none. */
  readonly body: Readonly<Record<string, unknown>> | null;
  /** Bytes of what was generated: an upper bound of its tokens. */
  readonly deliveredBytes: number;
  /** In the words of chat completions. */
  readonly usage: unknown;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What came with a status of success and is no answer. */
const NO_ANSWER_STATUS = 502;

/** Null for what is no answer to anything. */
export function readAnswer(text: string, operation: BatchOperation): ProviderAnswer | null {
  try {
    return answerIn(JSON.parse(text), operation);
  } catch {
    // Not JSON, or nested deeper than the stack.
    return null;
  }
}

function answerIn(line: unknown, operation: BatchOperation): ProviderAnswer | null {
  if (!isObject(line) || typeof line.custom_id !== "string") return null;
  const response = isObject(line.response) ? line.response : null;
  const told = Number.isInteger(response?.status_code) ? (response?.status_code as number) : 500;
  const body = isObject(response?.body) ? response.body : null;
  const claimed = line.error == null && body !== null && told >= 200 && told < 300;
  const whole = claimed ? operation.readWhole(Buffer.from(JSON.stringify(body))) : null;
  return {
    customId: line.custom_id,
    succeeded: whole !== null,
    statusCode: claimed && whole === null ? NO_ANSWER_STATUS : told,
    body,
    deliveredBytes: whole?.deliveredBytes ?? 0,
    usage: whole?.usage,
  };
}

/** `lineId` is ours. What a provider says about an error could name it: the startup gets its status and our words. */
export function answerForStartup(answer: ProviderAnswer, terms: { lineId: string; model: string }): string {
  const { customId, statusCode, succeeded } = answer;
  const body = succeeded ? { ...answer.body, model: terms.model } : failedBody(statusCode);
  return JSON.stringify({
    id: `batch_req_${terms.lineId}`,
    custom_id: customId,
    response: { status_code: statusCode, request_id: terms.lineId, body },
    error: null,
  });
}

function failedBody(statusCode: number) {
  const mine = statusCode >= 400 && statusCode < 500;
  const message = mine ? "The provider refused this line." : "The provider failed at this line.";
  return { error: { message, type: mine ? "invalid_request_error" : "upstream_error", param: null, code: null } };
}

/** For a line that nobody answered before its batch ended. */
export function unanswered(terms: { lineId: string; customId: string; code: string; message: string }): string {
  const { lineId, customId, code, message } = terms;
  return JSON.stringify({
    id: `batch_req_${lineId}`,
    custom_id: customId,
    response: null,
    error: { code, message },
  });
}
