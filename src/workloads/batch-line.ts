/** Reads one line of a batch's or a training file as it comes in, and says what is wrong with it in OpenAI's words. */
import type { LineFault } from "../../schema/line-fault";
import { DomainError } from "../platform/errors";
import type { BatchOperation, BatchOperations, LineRequest } from "./batch-operation";

export const BATCH_LINES_MAX = 50_000;
/** As many as are worth reading. */
export const FAULTS_MAX = 100;
const CUSTOM_ID_CHARS_MAX = 512;
const TOKENS_MAX = 10_000_000;
/** What a column holds; no model takes so much. */
const PROMPT_BYTES_MAX = 2_147_483_647;

/** What a line asks for. */
export interface BatchLine {
  readonly customId: string;
  readonly url: string;
  readonly model: string;
  readonly promptBytes: number;
  /** Per choice; null: as many as the offering allows. */
  readonly maxTokens: number | null;
  readonly choices: number;
  /** Of its answers some are never shown. */
  readonly hidesOutput: boolean;
}

type Members = Readonly<Record<string, unknown>>;
type Fault = Omit<LineFault, "line">;

const fault = (code: string, message: string, param: string | null = null): Fault => ({ code, message, param });
const isObject = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function parsed(text: string): Members | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** Whether a line was read, or why it cannot be. */
export function readBatchLine(text: string, operations: BatchOperations): BatchLine | Fault {
  const line = parsed(text);
  if (line === null) return fault("invalid_json_line", "This line is not a JSON object.");
  const { custom_id: customId, method, url, body } = line;
  if (typeof customId !== "string" || customId === "" || customId.length > CUSTOM_ID_CHARS_MAX)
    return fault("missing_required_parameter", "`custom_id` must be a text that names the line.", "custom_id");
  if (method !== "POST") return fault("invalid_method", "`method` must be POST.", "method");
  const operation = operations.get(url as string);
  if (operation === undefined)
    return fault("invalid_url", `\`url\` must be one of ${[...operations.keys()].join(", ")}.`, "url");
  if (!isObject(body)) return fault("missing_required_parameter", "`body` must be the request's JSON object.", "body");
  const request = scanned(operation, body);
  return "code" in request ? request : measured(operation, request, customId);
}

/** As a request of its own is read. */
function scanned(operation: BatchOperation, body: Members): LineRequest | Fault {
  try {
    return operation.scan(bytesOf(body));
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    const field = error.field?.join(".") ?? "";
    const value = body[field];
    const isMissing = value == null || value === "" || (Array.isArray(value) && value.length === 0);
    return fault(isMissing ? "missing_required_parameter" : "invalid_request", error.message, `body.${field}`);
  }
}

function measured(operation: BatchOperation, request: LineRequest, customId: string): BatchLine | Fault {
  const { path: url, limitField, maxTokensDefault } = operation;
  const { model, stream, promptBytes, choices, hidesOutput } = request;
  if (model === undefined || model === "")
    return fault("missing_required_parameter", "`model` is required.", "body.model");
  if (stream) return fault("invalid_request", "A batch is not streamed.", "body.stream");
  const maxTokens = request.maxTokens ?? maxTokensDefault ?? null;
  if (maxTokens !== null && maxTokens > TOKENS_MAX)
    return fault("invalid_request", `\`${limitField}\` must be at most ${TOKENS_MAX}.`, `body.${limitField}`);
  if (promptBytes > PROMPT_BYTES_MAX) return fault("invalid_request", "The prompt is too long.", "body");
  return { customId, url, model, promptBytes, maxTokens, choices, hidesOutput };
}

const bytesOf = (body: unknown): Buffer => Buffer.from(JSON.stringify(body));

/** Null when a model can be trained on it. */
export function readExample(text: string): Fault | null {
  const example = parsed(text);
  if (example === null) return fault("invalid_json_line", "This line is not a JSON object.");
  const isChat = Array.isArray(example.messages) && example.messages.length > 0;
  const isPair = typeof example.prompt === "string" && typeof example.completion === "string";
  return isChat || isPair
    ? null
    : fault("invalid_file_format", "An example has `messages`, or `prompt` and `completion`.", "messages");
}

/** The line as its provider gets it: with the provider's name of the model, and never without a limit. */
export function lineForProvider(
  text: string,
  operations: BatchOperations,
  terms: { upstreamModel: string; maxTokens: number },
): string {
  const { body, ...frame } = JSON.parse(text) as { url: string; body: unknown };
  const operation = operations.get(frame.url)!;
  const bytes = bytesOf(body);
  const request = operation.scan(bytes);
  const maxTokens = request.maxTokens ?? operation.maxTokensDefault ?? terms.maxTokens;
  const rewritten = operation.rewrite(bytes, request, { model: terms.upstreamModel, maxTokens });
  return `${JSON.stringify(frame).slice(0, -1)},"body":${rewritten.toString()}}`;
}

export const isFault = (read: BatchLine | Fault): read is Fault => "code" in read;
