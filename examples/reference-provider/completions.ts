/** POST /v1/completions: one or several prompts, as text or tokens, each with one or several endings. */
import { randomUUID } from "node:crypto";
import { type Answer, answer, textTokens } from "./generation";
import { type Generation, stream, whole } from "./paced";
import { limitOf, Refused, roomAfter } from "./wire";

export interface CompletionRequest {
  model: string;
  prompt: string | string[] | number[] | number[][];
  stream?: boolean;
  stream_options?: { include_usage?: boolean };
  max_tokens?: number | null;
  n?: number | null;
  best_of?: number | null;
  echo?: boolean | null;
}

interface Prompt {
  text: string;
  tokens: number;
}

/** Our stand-in has no vocabulary: tokens come as numbers and are echoed as numbers. */
export function promptsOf(value: CompletionRequest["prompt"], param: string): Prompt[] {
  const one = (item: unknown): Prompt => {
    if (typeof item === "string") return { text: item, tokens: textTokens(item) };
    if (Array.isArray(item) && item.length > 0 && item.every(Number.isInteger))
      return { text: item.join(" "), tokens: item.length };
    throw new Refused(400, `invalid_${param}`, `${param} must be a text, tokens, or a list of either.`);
  };
  const list = Array.isArray(value) && typeof value[0] !== "number" ? value : [value];
  if (list.length === 0) throw new Refused(400, `invalid_${param}`, `${param} must not be empty.`);
  return list.map(one);
}

/** As completeChat. Of `best_of` all are generated and counted, and the first `n` are shown. */
export function complete(body: CompletionRequest, generation: Generation): number {
  const { model } = generation;
  const prompts = promptsOf(body.prompt, "prompt");
  const n = limitOf(body.n, "n") ?? 1;
  const made = Math.max(n, limitOf(body.best_of, "best_of") ?? n);
  const promptTokens = prompts.reduce((sum, prompt) => sum + prompt.tokens, 0);
  const choices: { answer: Answer; before: string }[] = [];
  let tokens = 0;
  for (const { text, tokens: its } of prompts) {
    const limit = Math.min(limitOf(body.max_tokens, "max_tokens") ?? 16, roomAfter(its, model.contextLength));
    for (let index = 0; index < made; index++) {
      const ending = answer([{ role: "user", content: `${text}${index || ""}` }], limit);
      tokens += ending.tokens;
      if (index < n) choices.push({ answer: ending, before: body.echo ? text : "" });
    }
  }
  const usage = JSON.stringify({
    prompt_tokens: promptTokens,
    completion_tokens: tokens,
    total_tokens: promptTokens + tokens,
  });
  const head = `{"id":"cmpl-${randomUUID()}","object":"text_completion","created":${Math.floor(Date.now() / 1000)},"model":${JSON.stringify(model.id)},"choices":[`;
  const choice = (index: number, text: string, finish: string | null) =>
    JSON.stringify({ index, text, logprobs: null, finish_reason: finish });
  if (!body.stream) {
    const all = choices.map(({ answer: { whole: text, finishReason }, before }, index) =>
      choice(index, before + text(), finishReason),
    );
    whole(tokens, `${head}${all.join()}],"usage":${usage}}`, generation);
    return promptTokens;
  }
  const event = (choiceText: string, more = "") => `data: ${head}${choiceText}]${more}}\n\n`;
  const words = choices.flatMap(({ answer: { tokens: count, chunk }, before }, index) =>
    Array.from({ length: count }, (_, at) => () => event(choice(index, (at === 0 ? before : "") + chunk(at), null))),
  );
  const ends = choices.map(({ answer: { finishReason } }, index) => event(choice(index, "", finishReason)));
  const usageChunk = body.stream_options?.include_usage ? event("", `,"usage":${usage}`) : "";
  const end = () => `${ends.join("")}${usageChunk}data: [DONE]\n\n`;
  stream({ tokens: words.length, begin: "", token: (index) => words[index]?.() ?? "", end }, generation);
  return promptTokens;
}
