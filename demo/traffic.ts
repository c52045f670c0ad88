/** What the startups send: chat completions by the official `openai` client, streamed and whole, with modest concurrency. */
import OpenAI from "openai";

export interface Call {
  readonly startup: number;
  readonly model: string;
  readonly prompt: string;
  readonly streamed: boolean;
}

export interface CallResult extends Call {
  /** CUT: a stream that broke off after its first byte, which no retry can hide. */
  readonly outcome: "OK" | "CUT" | "FAILED";
  readonly requestId: string | null;
  readonly problem: string | null;
}

/** Short answers: the demo is about the marketplace, not about the text. */
const OUTPUT_TOKENS_MAX = 64;

export class Traffic {
  private readonly clients: readonly OpenAI[];

  /** `keys`: one per startup. */
  constructor(baseURL: string, keys: readonly string[]) {
    // The client's own retries would hide what the relay's failover does.
    this.clients = keys.map((apiKey) => new OpenAI({ apiKey, baseURL, maxRetries: 0 }));
  }

  /** At most `concurrency` at once, in order; never rejects. */
  async sendAll(
    calls: readonly Call[],
    concurrency: number,
    onResult: (result: CallResult) => void = () => undefined,
  ): Promise<CallResult[]> {
    const results: CallResult[] = [];
    const waiting = [...calls];
    const worker = async () => {
      for (let call = waiting.shift(); call !== undefined; call = waiting.shift()) {
        const result = await this.send(call);
        results.push(result);
        onResult(result);
      }
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
    return results;
  }

  async send(call: Call): Promise<CallResult> {
    let requestId: string | null = null;
    let begun = false;
    try {
      const client = this.clients[call.startup];
      if (client === undefined) throw new Error(`there is no startup ${call.startup}`);
      const body = {
        model: call.model,
        messages: [{ role: "user" as const, content: call.prompt }],
        max_completion_tokens: OUTPUT_TOKENS_MAX,
      };
      if (call.streamed) {
        const { data: stream, request_id } = await client.chat.completions
          .create({ ...body, stream: true })
          .withResponse();
        requestId = request_id;
        begun = true;
        let finished = false;
        for await (const chunk of stream) finished ||= chunk.choices[0]?.finish_reason != null;
        if (!finished) throw new Error("the stream ended without a finish_reason");
      } else {
        const { data, request_id } = await client.chat.completions.create(body).withResponse();
        requestId = request_id;
        if (!data.choices[0]?.message.content) throw new Error("the answer is empty");
      }
      return { ...call, outcome: "OK", requestId, problem: null };
    } catch (error) {
      return { ...call, outcome: begun ? "CUT" : "FAILED", requestId, problem: wordsOf(error) };
    }
  }
}

function wordsOf(error: unknown): string {
  if (error instanceof OpenAI.APIError) return `${error.status ?? ""} ${error.code ?? ""} ${error.message}`.trim();
  return error instanceof Error ? error.message : String(error);
}

/** Startups take turns, every second call streams; `pickModel` says which model the n-th call is for. */
export function plan(
  count: number,
  terms: { startups: number; prompts: readonly string[]; pickModel: (index: number) => string },
): Call[] {
  return Array.from({ length: count }, (_, index) => ({
    startup: index % terms.startups,
    model: terms.pickModel(index),
    prompt: terms.prompts[index % terms.prompts.length] ?? "Hello.",
    streamed: Math.floor(index / terms.startups) % 2 === 0,
  }));
}
