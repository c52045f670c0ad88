/** One span for a request and one for each attempt at a provider, made when the request is over: while it runs nothing is paid for them. */
import { type Context, ROOT_CONTEXT, SpanKind, SpanStatusCode, type Tracer, trace } from "@opentelemetry/api";
import { genAiAttributes, operationOf } from "./genai";
import type { Observation, Watcher } from "./observation";

/** W3C Trace Context: version, trace, parent, flags. */
const traceparentForm = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;

export function genAiSpans(tracer: Tracer): Watcher {
  return (seen) => {
    const attributes = {
      ...genAiAttributes(seen),
      "exergy.request.id": seen.requestId,
      "exergy.outcome": seen.outcome,
      "gen_ai.usage.input_tokens": seen.promptTokens,
      "gen_ai.usage.output_tokens": seen.completionTokens,
      ...(seen.maxTokens === null ? {} : { "gen_ai.request.max_tokens": seen.maxTokens }),
    };
    const name = `${operationOf(seen)} ${seen.model ?? ""}`.trimEnd();
    const startTime = at(seen.startedMs);
    const span = tracer.startSpan(name, { kind: SpanKind.SERVER, startTime, attributes }, parentOf(seen));
    if ("error.type" in attributes) span.setStatus({ code: SpanStatusCode.ERROR });
    if (seen.firstContentMs !== null) span.addEvent("first token", undefined, at(seen.firstContentMs));
    if (span.isRecording()) attemptSpans(tracer, seen, trace.setSpan(ROOT_CONTEXT, span));
    span.end(at(seen.endedMs));
  };
}

function attemptSpans(tracer: Tracer, { attempts }: Observation, parent: Context): void {
  for (const [index, { result, beganMs, endedMs }] of attempts.entries()) {
    const attributes = {
      "exergy.attempt": index + 1,
      "exergy.attempt.result": result,
      ...(result === "OK" ? {} : { "error.type": result }),
    };
    const span = tracer.startSpan("attempt", { kind: SpanKind.CLIENT, startTime: at(beganMs), attributes }, parent);
    if (result !== "OK") span.setStatus({ code: SpanStatusCode.ERROR });
    span.end(at(endedMs));
  }
}

/** A header that is none of the form is as good as none. */
function parentOf({ traceparent }: Observation): Context {
  const [, traceId, spanId, flags] = traceparentForm.exec(traceparent ?? "") ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return ROOT_CONTEXT;
  const traceFlags = Number.parseInt(flags, 16) & 1;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}

/** From the clock of performance.now() to that of the day. */
const at = (ms: number): number => performance.timeOrigin + ms;
