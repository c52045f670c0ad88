/** A batch: one answer per line of its input file, written to an output file that can be read while it grows. */
import { answer, chatTokens, type Message, type Model } from "../generation";
import { type TrainingFault, Work } from "./work";

interface Request {
  custom_id: string;
  body: { model: string; messages: Message[]; max_tokens?: number; max_completion_tokens?: number };
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
    const { custom_id, body } = this.requests[index] as Request;
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
    this.output.push(line(200, completion(body, model, fault)));
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

function completion(body: Request["body"], model: Model, fault: TrainingFault): object {
  const written = answer(body.messages, body.max_completion_tokens ?? body.max_tokens ?? 256);
  const content = Array.from({ length: written.tokens }, (_, index) => written.chunk(index)).join("");
  const [prompt_tokens, completion_tokens] = [chatTokens(body.messages), written.tokens].map(
    (tokens) => tokens * (fault.claims ?? 1),
  ) as [number, number];
  return {
    id: "chatcmpl-batch",
    object: "chat.completion",
    created: Math.floor(Date.now() / 1000),
    model: model.id,
    choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: written.finishReason }],
    ...(fault.silent
      ? {}
      : { usage: { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens } }),
  };
}
