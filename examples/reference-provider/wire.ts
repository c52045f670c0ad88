/** Bodies in, JSON and OpenAI-shaped errors out. */
import type { IncomingMessage, ServerResponse } from "node:http";

const BODY_BYTES_MAX = 64 * 1024 * 1024;

/** A refusal: HTTP status, a stable code, a sentence for the log of whoever called. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** A whole number above 0, undefined when the field is absent or null. */
export function limitOf(value: unknown, param: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= 1) return value;
  throw new Refused(400, `invalid_${param}`, `${param} must be a whole number above 0.`);
}

/** What a context has left for the answer. */
export function roomAfter(promptTokens: number, contextLength: number): number {
  if (promptTokens < contextLength) return contextLength - promptTokens;
  const message = `The prompt is ${promptTokens} tokens, the context ${contextLength}.`;
  throw new Refused(400, "context_length_exceeded", message);
}

export function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > BODY_BYTES_MAX)
        reject(new Refused(413, "body_too_large", `A body has at most ${BODY_BYTES_MAX} bytes.`));
      else chunks.push(chunk);
    });
    request.once("end", () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    request.once("error", reject);
  });
}

export function parseJson<T>(body: Buffer): T {
  try {
    const parsed: unknown = JSON.parse(body.toString());
    if (parsed !== null && typeof parsed === "object") return parsed as T;
  } catch {
    // Refused below, like JSON that is no object.
  }
  throw new Refused(400, "invalid_json", "The body is not a JSON object.");
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value);
  response
    .writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) })
    .end(text);
}

export function sendError(response: ServerResponse, error: unknown): void {
  if (response.destroyed || response.headersSent) return void response.destroy();
  const { status, code, message } =
    error instanceof Refused ? error : { status: 500, code: "internal_error", message: "Internal error." };
  const type =
    status === 401
      ? "authentication_error"
      : status === 429
        ? "rate_limit_error"
        : status < 500
          ? "invalid_request_error"
          : "server_error";
  if (status === 413) response.setHeader("connection", "close");
  sendJson(response, status, { error: { message, type, param: null, code } });
}
