/** POST /v1/embeddings: one unit vector per text, as numbers or as base64. */
import { promptsOf } from "./completions";
import { embedding } from "./generation";
import { Refused } from "./wire";

export interface EmbeddingsRequest {
  model: string;
  input: string | string[] | number[] | number[][];
  encoding_format?: "float" | "base64";
  dimensions?: number;
}

export function embed(body: EmbeddingsRequest): { answer: unknown; promptTokens: number } {
  const { dimensions } = body;
  if (dimensions !== undefined && !(Number.isInteger(dimensions) && dimensions >= 1 && dimensions <= 4096))
    throw new Refused(400, "invalid_dimensions", "dimensions must be a whole number from 1 to 4096.");
  const texts = promptsOf(body.input, "input");
  const promptTokens = texts.reduce((sum, { tokens }) => sum + tokens, 0);
  const data = texts.map(({ text }, index) => {
    const vector = embedding(text, dimensions);
    // What OpenAI calls base64 is little-endian float32, which is what every machine with a GPU has in memory.
    const encoded =
      body.encoding_format === "base64" ? Buffer.from(Float32Array.from(vector).buffer).toString("base64") : vector;
    return { object: "embedding", index, embedding: encoded };
  });
  const usage = { prompt_tokens: promptTokens, total_tokens: promptTokens };
  return { answer: { object: "list", data, model: body.model, usage }, promptTokens };
}
