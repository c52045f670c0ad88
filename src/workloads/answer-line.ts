/** Reads one line of a provider's output file, and writes it anew for the startup: our ids, our name of the model. */

export interface ProviderAnswer {
  readonly customId: string;
  readonly succeeded: boolean;
  readonly statusCode: number;
  /** The answer's body; null when there is none. */
  readonly body: Readonly<Record<string, unknown>> | null;
  /** Bytes of what was generated, its frame included: an upper bound of its tokens. */
  readonly deliveredBytes: number;
  readonly usage: unknown;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Null for what is no answer to anything. */
export function readAnswer(text: string): ProviderAnswer | null {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(line) || typeof line.custom_id !== "string") return null;
  const response = isObject(line.response) ? line.response : null;
  const statusCode = Number.isInteger(response?.status_code) ? (response?.status_code as number) : 500;
  const body = isObject(response?.body) ? response.body : null;
  const succeeded = line.error == null && body !== null && statusCode >= 200 && statusCode < 300;
  return {
    customId: line.custom_id,
    succeeded,
    statusCode,
    body,
    deliveredBytes: succeeded && body?.choices != null ? Buffer.byteLength(JSON.stringify(body.choices)) : 0,
    usage: body?.usage,
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
