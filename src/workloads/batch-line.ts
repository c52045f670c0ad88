/** Reads one line of a batch's or a training file as it comes in, and says what is wrong with it in OpenAI's words. */
import type { LineFault } from "../../schema/line-fault";

export const BATCH_URLS = ["/v1/chat/completions"] as const;
export const BATCH_LINES_MAX = 50_000;
/** As many as are worth reading. */
export const FAULTS_MAX = 100;
const CUSTOM_ID_CHARS_MAX = 512;
const CHOICES_MAX = 128;
const TOKENS_MAX = 10_000_000;

/** What a line asks for. */
export interface BatchLine {
  readonly customId: string;
  readonly url: string;
  readonly model: string;
  readonly promptBytes: number;
  readonly maxTokens: number | null;
  readonly choices: number;
}

type Members = Readonly<Record<string, unknown>>;
type Fault = Omit<LineFault, "line">;

const fault = (code: string, message: string, param: string | null = null): Fault => ({ code, message, param });
const isObject = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isCount = (value: unknown, max: number): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= max;

function parsed(text: string): Members | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** What reaches the model as prompt, as in a request of its own. */
const promptMembers = ["messages", "tools", "functions", "response_format"] as const;

/** Whether a line was read, or why it cannot be. */
export function readBatchLine(text: string): BatchLine | Fault {
  const line = parsed(text);
  if (line === null) return fault("invalid_json_line", "This line is not a JSON object.");
  const { custom_id: customId, method, url, body } = line;
  if (typeof customId !== "string" || customId === "" || customId.length > CUSTOM_ID_CHARS_MAX)
    return fault("missing_required_parameter", "`custom_id` must be a text that names the line.", "custom_id");
  if (method !== "POST") return fault("invalid_method", "`method` must be POST.", "method");
  if (!BATCH_URLS.some((known) => known === url))
    return fault("invalid_url", `\`url\` must be ${BATCH_URLS.join(" or ")}.`, "url");
  if (!isObject(body)) return fault("missing_required_parameter", "`body` must be the request's JSON object.", "body");
  return readRequest(body) ?? { customId, url: url as string, ...requestOf(body) };
}

function readRequest(body: Members): Fault | null {
  const { model, messages, stream, n, max_tokens: maxTokens, max_completion_tokens: maxCompletionTokens } = body;
  if (typeof model !== "string" || model === "")
    return fault("missing_required_parameter", "`model` is required.", "body.model");
  if (!Array.isArray(messages) || messages.length === 0)
    return fault("missing_required_parameter", "`messages` must be a list of messages.", "body.messages");
  if (stream != null && stream !== false) return fault("invalid_request", "A batch is not streamed.", "body.stream");
  if (n != null && !isCount(n, CHOICES_MAX))
    return fault("invalid_request", `\`n\` must be a whole number from 1 to ${CHOICES_MAX}.`, "body.n");
  for (const [name, limit] of Object.entries({ max_tokens: maxTokens, max_completion_tokens: maxCompletionTokens })) {
    if (limit != null && !isCount(limit, TOKENS_MAX))
      return fault("invalid_request", `\`${name}\` must be a whole number above 0.`, `body.${name}`);
  }
  return null;
}

function requestOf(body: Members): Omit<BatchLine, "customId" | "url"> {
  const limits = [body.max_tokens, body.max_completion_tokens].filter((limit) => limit != null) as number[];
  const prompt = promptMembers.flatMap((name) => (body[name] == null ? [] : [JSON.stringify(body[name])]));
  return {
    model: body.model as string,
    promptBytes: prompt.reduce((bytes, text) => bytes + Buffer.byteLength(text), 0),
    maxTokens: limits.length === 0 ? null : Math.max(...limits),
    choices: (body.n ?? 1) as number,
  };
}

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
export function lineForProvider(text: string, terms: { upstreamModel: string; maxTokens: number }): string {
  const line = JSON.parse(text) as { body: Record<string, unknown> };
  const { max_tokens: maxTokens, max_completion_tokens: maxCompletionTokens, ...body } = line.body;
  const limits = [maxTokens, maxCompletionTokens].filter((limit) => limit != null) as number[];
  const name = maxCompletionTokens == null ? "max_tokens" : "max_completion_tokens";
  const limit = limits.length === 0 ? terms.maxTokens : Math.max(...limits);
  return JSON.stringify({ ...line, body: { ...body, model: terms.upstreamModel, [name]: limit } });
}

export const isFault = (read: BatchLine | Fault): read is Fault => "code" in read;
