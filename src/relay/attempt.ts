/** One try at one endpoint: connect, first byte, idle and total limits, back-pressure both ways, one clear end. */
import type { IncomingHttpHeaders } from "node:http";
import { DomainError } from "../platform/errors";
import type { FailureKind } from "../routing/cooldown";
import type { UpstreamAttempt, UpstreamExchange, UpstreamHandler, Upstreams } from "../upstreams/upstreams";
import type { Answer } from "./answers";
import type { ClientConnection } from "./client-connection";

export type AttemptEnd =
  /** The whole answer is here and its end has not gone out. */
  | { readonly kind: "COMPLETE" }
  /** Content went out, the rest never came. */
  | { readonly kind: "CUT"; readonly failure: FailureKind }
  /** Nothing went out: another endpoint may try. */
  | { readonly kind: "FAILED"; readonly failure: FailureKind; readonly result: string; readonly retryAfterMs?: number }
  /** The provider will not serve this request, and neither will another: the fault is in the request. */
  | { readonly kind: "REJECTED"; readonly status: number }
  /** It knows no such path, or no such model under it. */
  | { readonly kind: "UNKNOWN_THERE"; readonly status: number }
  | { readonly kind: "CLIENT_GONE" };

/** Codes of the socket, of name resolution and of certificates that say: not to this address. */
const refused =
  /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_|ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|DEPTH_|UNABLE_|SELF_SIGNED)/;

export interface AttemptTimeouts {
  readonly firstByteTimeoutMs: number;
  readonly idleTimeoutMs: number;
}

/**
 * The first byte of an answer that is not streamed comes when all of it is written: the patience grows with the tokens
 * that it may have. `wholeTokens` null: streamed.
 */
export function attemptTimeouts(
  limits: AttemptTimeouts & { readonly tokenTimeoutMs: number },
  wholeTokens: number | null,
): AttemptTimeouts {
  return {
    firstByteTimeoutMs: limits.firstByteTimeoutMs + (wholeTokens ?? 0) * limits.tokenTimeoutMs,
    idleTimeoutMs: limits.idleTimeoutMs,
  };
}

export interface AttemptOptions {
  readonly upstreams: Upstreams;
  readonly attempt: UpstreamAttempt;
  readonly answer: Answer;
  readonly client: ClientConnection;
  readonly timeouts: AttemptTimeouts;
  /** When the whole request must be over, on the clock of performance.now(). */
  readonly deadlineMs: number;
  /** An error that is no statement about the provider. */
  readonly onFault: (error: unknown) => void;
}

/** A provider that keeps the socket open after `[DONE]` gets this long before the socket is closed. */
const AFTER_END_MS = 5_000;

export function runAttempt(options: AttemptOptions): Promise<AttemptEnd> {
  return new Promise((resolve) => new Attempt(options, resolve).start());
}

class Attempt implements UpstreamHandler {
  private exchange: UpstreamExchange | null = null;
  private cancel: (reason: Error) => void = () => undefined;
  private timer: NodeJS.Timeout | null = null;
  private total: NodeJS.Timeout | null = null;
  private ended = false;
  private closed = false;
  /** The timer is the one between two chunks, no more that of the first byte. */
  private awaitsBytes = false;

  constructor(
    private readonly options: AttemptOptions,
    private readonly resolve: (end: AttemptEnd) => void,
  ) {}

  start(): void {
    const { upstreams, attempt, client, timeouts, deadlineMs } = this.options;
    this.timer = setTimeout(() => this.timedOut(), timeouts.firstByteTimeoutMs);
    this.total = setTimeout(() => this.timedOut(), Math.max(1, deadlineMs - performance.now()));
    client.whenDrained(() => {
      this.awaitBytes();
      this.exchange?.resume();
    });
    this.cancel = upstreams.dispatch(attempt, this).cancel;
    client.whenGone(() => this.stop({ kind: "CLIENT_GONE" }, "the client went away"));
  }

  onStart(exchange: UpstreamExchange, status: number, headers: IncomingHttpHeaders): void {
    this.exchange = exchange;
    if (this.ended) return exchange.abort(new Error("the attempt is over"));
    if (status < 200 || status >= 300) return this.stop(endForStatus(status, headers), `status ${status}`);
    // We asked for bytes as they are; what is packed could neither be read nor be bounded before it is unpacked.
    const { "content-encoding": encoding = "identity" } = headers;
    if (encoding.toLowerCase() !== "identity") this.stop(this.broken("CUT"), `content-encoding ${encoding}`);
  }

  onBytes(chunk: Buffer): void {
    const { answer } = this.options;
    if (this.ended) {
      // Bytes after the end make the socket unfit for the next request.
      this.exchange?.abort(new Error("bytes after the end of the answer"));
      return;
    }
    try {
      const keepsUp = answer.accept(chunk);
      if (answer.complete) return this.finish({ kind: "COMPLETE" });
      if (!keepsUp) return this.pause();
    } catch (error) {
      return this.stop(this.unreadable(error), "not a proper answer");
    }
    // Roles and comments are no sign of an answer: they do not stop the clock of the first byte.
    if (answer.committed || !answer.streamed) this.awaitBytes();
  }

  /** It is the client that does not read; its own limit decides, not the provider's. */
  private pause(): void {
    this.exchange?.pause();
    clearTimeout(this.timer ?? undefined);
    this.awaitsBytes = false;
  }

  private awaitBytes(): void {
    if (this.awaitsBytes) return void this.timer?.refresh();
    this.awaitsBytes = true;
    clearTimeout(this.timer ?? undefined);
    this.timer = setTimeout(() => this.timedOut(), this.options.timeouts.idleTimeoutMs);
  }

  onEnd(): void {
    this.closed = true;
    if (this.ended) return this.clearTimers();
    try {
      this.options.answer.end();
      this.finish({ kind: "COMPLETE" });
    } catch (error) {
      this.finish(this.unreadable(error));
    }
  }

  onError(error: Error): void {
    this.closed = true;
    if (this.ended) return this.clearTimers();
    const failure = this.exchange === null ? beforeAnswer(error) : "CUT";
    this.finish(this.broken(failure));
  }

  private timedOut(): void {
    this.stop(this.broken("TIMEOUT"), "the provider took too long");
  }

  /** A fault of ours in reading an answer must not pass for the provider's unseen. */
  private unreadable(error: unknown): AttemptEnd {
    if (!(error instanceof DomainError)) this.options.onFault(error);
    return this.broken("CUT");
  }

  private broken(failure: FailureKind): AttemptEnd {
    return this.options.answer.committed ? { kind: "CUT", failure } : { kind: "FAILED", failure, result: failure };
  }

  /** Ends the attempt and closes the provider's socket. */
  private stop(end: AttemptEnd, reason: string): void {
    if (this.ended) return;
    this.finish(end);
    if (!this.closed) this.cancel(new Error(reason));
  }

  private finish(end: AttemptEnd): void {
    if (this.ended) return;
    this.ended = true;
    this.clearTimers();
    this.options.client.whenGone(null);
    this.options.client.whenDrained(null);
    if (!this.closed && end.kind === "COMPLETE") {
      this.exchange?.resume();
      this.timer = setTimeout(() => this.cancel(new Error("the provider did not close")), AFTER_END_MS).unref();
    }
    this.resolve(end);
  }

  private clearTimers(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    if (this.total !== null) clearTimeout(this.total);
  }
}

/** 4xx that speak of the request are the client's; 401 and 403 speak of our standing with this provider. */
function endForStatus(status: number, headers: IncomingHttpHeaders): AttemptEnd {
  const retryAfterMs = retryAfter(headers["retry-after"]);
  const hint = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (status === 429) return { kind: "FAILED", failure: "THROTTLED", result: "THROTTLED", ...hint };
  if (status === 400 || status === 413 || status === 422) return { kind: "REJECTED", status };
  if (status === 404 || status === 405 || status === 501) return { kind: "UNKNOWN_THERE", status };
  return { kind: "FAILED", failure: "STATUS_5XX", result: status >= 500 ? "STATUS_5XX" : "REFUSED", ...hint };
}

/** Of several the longest. */
function retryAfter(header: string | string[] | undefined): number | undefined {
  const waits = [header ?? []]
    .flat()
    .map((text) => (/^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now()));
  const longestMs = Math.max(...waits.filter((ms) => ms > 0));
  return Number.isFinite(longestMs) ? longestMs : undefined;
}

/** Only a refusal proves that nobody is there: a connect that takes too long may be the way, or our own load. */
function beforeAnswer(error: Error): FailureKind {
  const { code } = error as { code?: unknown };
  if (code === "UND_ERR_CONNECT_TIMEOUT" || code === "ETIMEDOUT") return "TIMEOUT";
  return error.name === "EgressRefused" || (typeof code === "string" && refused.test(code)) ? "CONNECT" : "CUT";
}
