/** The four figures that OpenTelemetry's conventions for generative AI name of a server, with the buckets that they advise. */
import type { Meter } from "@opentelemetry/api";
import { genAiAttributes } from "./genai";
import type { Observation, Watcher } from "./observation";

const powersOf = (base: number, exponents: number, first = 1): number[] =>
  Array.from({ length: exponents }, (_, index) => first * base ** index);

const advice = (explicitBucketBoundaries: number[]) => ({ advice: { explicitBucketBoundaries } });

export function genAiMetrics(meter: Meter): Watcher {
  const tokens = meter.createHistogram("gen_ai.client.token.usage", {
    description: "Input and output tokens that were charged.",
    unit: "{token}",
    ...advice(powersOf(4, 14)),
  });
  const duration = meter.createHistogram("gen_ai.server.request.duration", {
    description: "From a request's arrival to its end.",
    unit: "s",
    ...advice(powersOf(2, 14, 0.01)),
  });
  const firstToken = meter.createHistogram("gen_ai.server.time_to_first_token", {
    description: "From a streamed request's arrival to its first token.",
    unit: "s",
    ...advice([0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]),
  });
  const perToken = meter.createHistogram("gen_ai.server.time_per_output_token", {
    description: "Of a streamed answer: the time per token after the first.",
    unit: "s",
    ...advice([0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5]),
  });
  return (seen) => {
    const attributes = genAiAttributes(seen);
    duration.record(seen.durationMs / 1_000, attributes);
    if (seen.promptTokens > 0) tokens.record(seen.promptTokens, { ...attributes, "gen_ai.token.type": "input" });
    if (seen.completionTokens > 0)
      tokens.record(seen.completionTokens, { ...attributes, "gen_ai.token.type": "output" });
    if (!seen.streamed || seen.firstContentMs === null) return;
    firstToken.record((seen.firstContentMs - seen.startedMs) / 1_000, attributes);
    const secondsPerToken = perTokenSeconds(seen, seen.firstContentMs);
    if (secondsPerToken !== null) perToken.record(secondsPerToken, attributes);
  };
}

function perTokenSeconds({ attempts, completionTokens }: Observation, firstContentMs: number): number | null {
  const last = attempts.at(-1);
  if (last === undefined || completionTokens < 2) return null;
  return (last.endedMs - firstContentMs) / 1_000 / (completionTokens - 1);
}
