/** What of one request goes to a provider: its body with the edits that this route needs, and how long its answer may take. */
import type { Route } from "../routing/routing";
import { bodySha256 } from "../upstreams/relay-token";
import type { Admission } from "./admission";
import type { Answer } from "./answers";
import { type AttemptOptions, attemptTimeouts } from "./attempt";
import type { RelayContext } from "./context";
import type { InferenceRequest, RequestEdits } from "./operations/operation";
import type { Turn } from "./turn";

interface Sent {
  readonly request: InferenceRequest;
  readonly body: Buffer;
  /** SHA-256 of the body. */
  readonly requestHash: string;
  readonly admission: Admission;
  readonly turn: Turn;
  readonly startedMs: number;
}

export class Outgoing {
  /** SHA-256 of what the last attempt was sent. */
  bodyHash = "";

  constructor(
    private readonly relay: RelayContext,
    private readonly its: Sent,
  ) {}

  attemptAt(route: Route, number: number, answer: Answer): AttemptOptions {
    const { admission, request, turn, startedMs } = this.its;
    const { upstreams, config, log } = this.relay;
    const body = this.bodyFor(route);
    const wholeTokens = request.stream ? null : admission.maxTokens * request.choices;
    return {
      upstreams,
      attempt: {
        endpoint: route.upstream,
        startupId: admission.startupId,
        requestId: admission.requestId,
        attempt: number,
        method: "POST",
        path: request.operation.path,
        body,
        bodySha256: this.bodyHash,
        accept: request.stream ? "text/event-stream" : "application/json",
      },
      answer,
      client: turn.client,
      timeouts: attemptTimeouts(config.upstream, wholeTokens),
      deadlineMs: startedMs + config.upstream.totalTimeoutMs,
      onFault: (error) =>
        log.error({ err: error, requestId: admission.requestId }, "an answer could not be read: our fault"),
    };
  }

  private bodyFor({ upstreamModel }: Route): Buffer {
    const { admission, body, request, requestHash } = this.its;
    const edits: RequestEdits = {};
    if (upstreamModel !== admission.model) edits.model = upstreamModel;
    if (request.stream) edits.includeUsage = true;
    if (request.maxTokens !== admission.maxTokens) edits.maxTokens = admission.maxTokens;
    const edited = request.operation.rewrite(body, request, edits);
    this.bodyHash = edited === body ? requestHash : bodySha256(edited);
    return edited;
  }
}
