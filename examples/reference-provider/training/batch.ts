/** A batch: one answer per line of its input file, written to an output file that can be read while it grows. */
import { promptsOf } from "../completions";
import { embed } from "../embeddings";
import { answer, chatTokens, type Message, type Model } from "../generation";
import { type TrainingFault, Work } from "./work";

interface Body {
  model: string;
  messages?: Message[];
  prompt?: string | string[];
  input?: string | string[];
  max_tokens?: number;
  max_completion_tokens?: number;
  max_output_tokens?: number;
}

interface Request {
  custom_id: string;
  url: string;
  body: Body;
}

export class Batch extends Work {
  private readonly output: string[] = [];
  private readonly errors: string[] = [];

  constructor(
    id: string,
    private readonly inputFileId: string,
    private readonly requests: readonly Request[],
    private readonly models: ReadonlyMap<string, Model>,
  ) {
    super(id, requests.length);
  }

  static requestsIn(content: Buffer): Request[] {
    return content
      .toString()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Request);
  }

  get outputFileId(): string {
    return `${this.id}-output`;
  }

  get errorFileId(): string {
    return `${this.id}-errors`;
  }

  contentOf(fileId: string): Buffer | undefined {
    const lines = { [this.outputFileId]: this.output, [this.errorFileId]: this.errors }[fileId];
    return lines && Buffer.from(lines.map((line) => `${line}\n`).join(""));
  }

  protected doUnit(index: number, fault: TrainingFault): void {
    const { custom_id, url, body } = this.requests[index] as Request;
    const model = this.models.get(body.model);
    const line = (status_code: number, content: object) =>
      JSON.stringify({
        id: `line_${index}`,
        custom_id,
        response: { status_code, request_id: `r_${index}`, body: content },
        error: null,
      });
    if (!model || fault.refusesLines) {
      const error = { message: `${body.model} is not served by this company.`, type: "invalid_request_error" };
      this.errors.push(line(404, { error }));
      return;
    }
    const { usage, ...content } = (answers[url] ?? chat)(body);
    const claimed = Object.fromEntries(
      Object.entries(usage).map(([name, tokens]) => [name, tokens * (fault.claims ?? 1)]),
    );
    this.output.push(line(200, { ...content, model: model.id, ...(fault.silent ? {} : { usage: claimed }) }));
  }

  view() {
    const { id, inputFileId, done, units, errors, output } = this;
    const status = {
      waiting: "validating",
      running: "in_progress",
      done: "completed",
      failed: "failed",
      cancelled: "cancelled",
    }[this.state];
    return {
      id,
      object: "batch",
      status,
      input_file_id: inputFileId,
      // From the first answer on, so that what is done can be read, and paid, while the rest is still to come.
      output_file_id: output.length > 0 ? this.outputFileId : null,
      error_file_id: errors.length > 0 ? this.errorFileId : null,
      created_at: this.createdAt,
      request_counts: { total: units, completed: output.length, failed: done - output.length },
    };
  }
}

type Answered = { usage: Record<string, number>; [member: string]: unknown };

const created = () => Math.floor(Date.now() / 1000);
const userText = (content: string): Message[] => [{ role: "user", content }];

function chat({ messages = [], max_completion_tokens, max_tokens }: Body): Answered {
  const written = answer(messages, max_completion_tokens ?? max_tokens ?? 256);
  const message = { role: "assistant", content: written.whole() };
  return {
    id: "chatcmpl-batch",
    object: "chat.completion",
    created: created(),
    choices: [{ index: 0, message, finish_reason: written.finishReason }],
    usage: spoken(chatTokens(messages), written.tokens),
  };
}

function complete({ prompt = "", max_tokens = 16 }: Body): Answered {
  const prompts = promptsOf(prompt, "prompt");
  const written = prompts.map(({ text }) => answer(userText(text), max_tokens));
  return {
    id: "cmpl-batch",
    object: "text_completion",
    created: created(),
    choices: written.map((one, index) => ({ index, text: one.whole(), finish_reason: one.finishReason })),
    usage: spoken(sum(prompts), sum(written)),
  };
}

function vectors({ model, input = "" }: Body): Answered {
  const { answer: made, promptTokens } = embed({ model, input });
  return { ...(made as object), usage: { prompt_tokens: promptTokens, total_tokens: promptTokens } };
}

function respond({ input = "", max_output_tokens = 256 }: Body): Answered {
  const messages = userText(String(input));
  const written = answer(messages, max_output_tokens);
  const tokens = chatTokens(messages);
  const content = [{ type: "output_text", text: written.whole(), annotations: [] }];
  return {
    id: "resp-batch",
    object: "response",
    created_at: created(),
    status: "completed",
    output: [{ id: "msg-batch", type: "message", role: "assistant", status: "completed", content }],
    usage: { input_tokens: tokens, output_tokens: written.tokens, total_tokens: tokens + written.tokens },
  };
}

const answers: Readonly<Record<string, (body: Body) => Answered>> = {
  "/v1/chat/completions": chat,
  "/v1/completions": complete,
  "/v1/embeddings": vectors,
  "/v1/responses": respond,
};

const sum = (of: readonly { tokens: number }[]) => of.reduce((total, { tokens }) => total + tokens, 0);
const spoken = (prompt_tokens: number, completion_tokens: number) => ({
  prompt_tokens,
  completion_tokens,
  total_tokens: prompt_tokens + completion_tokens,
});
