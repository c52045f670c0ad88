/** One admitted request from its first attempt to its end; whatever happens, its hold is resolved exactly once. */
import type { ServerResponse } from "node:http";
import type { RoutingAttempt } from "../../entities/routing-decision";
import type { RoutingOutcome, UsageOutcome } from "../../schema/enums";
import { DomainError } from "../platform/errors";
import type { Route } from "../routing/routing";
import type { Admission } from "./admission";
import { BufferedAnswer, StreamAnswer } from "./answers";
import { type AttemptEnd, runAttempt } from "./attempt";
import type { RelayContext } from "./context";
import { deliveryOf } from "./delivery";
import { asDomainError, noAnswer, providersBusy } from "./errors";
import { KeepAlive, keepAliveIntervals } from "./keep-alive";
import { ModelName } from "./model-name";
import type { Observation, Outcome } from "./observation";
import type { InferenceRequest } from "./operations/operation";
import { Outgoing } from "./outgoing";
import { brokeOff, type RelayAnswer, Reply } from "./reply";
import { RoutesOfRequest } from "./routes-of-request";
import { operationNotServed } from "./served-operations";
import type { Turn, TurnEnd } from "./turn";

const ATTEMPTS_MAX = 3;

interface ExchangeOptions {
  readonly request: InferenceRequest;
  readonly body: Buffer;
  /** SHA-256 of the body. */
  readonly requestHash: string;
  readonly admission: Admission;
  readonly turn: Turn;
  readonly response: ServerResponse;
  readonly startedMs: number;
  readonly seen: Observation;
}

export class Exchange {
  private readonly attempts: RoutingAttempt[] = [];
  private readonly routes: RoutesOfRequest;
  private readonly outgoing: Outgoing;
  private readonly reply: Reply;
  private lastFailure: AttemptEnd | null = null;
  private ttftMs: number | null = null;
  private end: TurnEnd = "FAILED";

  constructor(
    private readonly relay: RelayContext,
    private readonly options: ExchangeOptions,
  ) {
    this.routes = new RoutesOfRequest(relay, options.admission, options.turn.client);
    this.outgoing = new Outgoing(relay, options);
    this.reply = new Reply(relay.metering, options);
  }

  async run(): Promise<TurnEnd> {
    this.observeAdmission();
    this.relay.retryBudget.requestBegan();
    const { request, turn } = this.options;
    const { keepAlive = keepAliveIntervals } = this.relay;
    const comments = request.stream ? new KeepAlive(turn.client, keepAlive, () => this.reply.open()) : null;
    try {
      await this.serve();
    } finally {
      comments?.stop();
    }
    return this.end;
  }

  private async serve(): Promise<void> {
    try {
      for (let number = 1; number <= ATTEMPTS_MAX && !this.options.turn.client.gone; number++) {
        if (number > 1 && this.relay.retryBudget.isSpent) break;
        const route = this.routes.next() ?? (await this.routes.nextInTurn());
        if (route === null) break;
        if (number > 1) this.relay.retryBudget.spend();
        if (await this.attempt(route, number)) return;
      }
    } catch (error) {
      // A fault of ours on the way must not leave credit set aside until the sweep.
      await this.release().catch(() => undefined);
      this.observeEnd("internal");
      throw error;
    }
    await this.giveUp();
  }

  /** True: the request is over. False: nothing went out, the next endpoint may try. */
  private async attempt(route: Route, number: number): Promise<boolean> {
    const { admission, request } = this.options;
    const { routing, sla } = this.relay;
    const beganMs = performance.now();
    const answer = request.stream
      ? this.streamAnswer()
      : new BufferedAnswer(request.operation, new ModelName(admission.model));
    const end = this.asFailure(await this.dispatch(route, number, answer), route);
    const endedMs = performance.now();
    const result = resultOf(end);
    this.options.seen.attempts.push({ result, beganMs, endedMs });
    this.attempts.push({ endpointId: route.endpointId, result, durationMs: Math.round(endedMs - beganMs) });
    this.reply.attempts = number;
    if (end.kind === "FAILED" || end.kind === "CUT") {
      routing.failed(route, end.failure, end.kind === "FAILED" ? end.retryAfterMs : undefined);
      this.relay.metrics.attemptFailures.inc({ cause: end.failure });
      // 429 is a provider saying that it is full, not that it is down.
      if (end.failure !== "THROTTLED") sla.observeAttempt(route.endpointId, { failed: true });
    }
    switch (end.kind) {
      case "FAILED":
        this.lastFailure = end;
        return false;
      case "UNKNOWN_THERE":
        this.lastFailure ??= end;
        return false;
      case "COMPLETE": {
        routing.succeeded(route, this.ttftMs);
        this.relay.served.hasAnswered(request.operation, route.offeringId);
        sla.observeAttempt(
          route.endpointId,
          this.ttftMs === null ? { failed: false } : { failed: false, ttftMs: this.ttftMs },
        );
        await this.complete(route, answer);
        return true;
      }
      case "CUT":
        await this.cut(route, answer);
        return true;
      case "REJECTED":
        await this.reject(end.status);
        return true;
      case "CLIENT_GONE":
        await this.abandon(route, answer);
        return true;
    }
  }

  /** What an offering has answered before, it may not disown. */
  private asFailure(end: AttemptEnd, route: Route): AttemptEnd {
    if (end.kind !== "UNKNOWN_THERE" || this.relay.served.hasRefused(this.options.request.operation, route.offeringId))
      return end;
    return { kind: "FAILED", failure: "STATUS_5XX", result: "REFUSED" };
  }

  /** Gives the slot back, whatever comes of it. */
  private async dispatch(route: Route, number: number, answer: RelayAnswer): Promise<AttemptEnd> {
    try {
      return await runAttempt(this.outgoing.attemptAt(route, number, answer));
    } finally {
      this.relay.routing.attemptEnded(route);
    }
  }

  private streamAnswer(): StreamAnswer {
    const { admission, request, seen, turn } = this.options;
    const beganMs = performance.now();
    return new StreamAnswer({
      operation: request.operation,
      requestBytes: this.options.body.length,
      client: turn.client,
      passUsage: request.includeUsage,
      modelName: new ModelName(admission.model),
      onCommit: () => {
        // What earlier attempts took is the marketplace's time, not this provider's.
        this.ttftMs = Math.round(performance.now() - beganMs);
        this.reply.open();
      },
      onContent: () => this.relay.metrics.content(seen),
    });
  }

  /** The record is committed before the client can see that the answer is whole. */
  private async complete(route: Route, answer: RelayAnswer): Promise<void> {
    this.options.turn.whole();
    try {
      await this.settle(route, answer, "COMPLETED");
    } catch (error) {
      this.reply.fail(asDomainError(error), answer);
      return this.finish("FAILED", route, "unsettled");
    }
    this.end = "ANSWERED";
    this.reply.complete(answer);
    this.finish(this.attempts.length > 1 ? "REROUTED" : "SERVED", route, "completed");
  }

  private async cut(route: Route, answer: RelayAnswer): Promise<void> {
    await this.settle(route, answer, "PARTIAL").catch((error: unknown) => this.logUnsettled(error));
    this.reply.fail(brokeOff(), answer);
    this.finish("FAILED", route, "cut");
  }

  private async abandon(route: Route, answer: RelayAnswer): Promise<void> {
    // Nothing that the client could use went out before the first content byte: nothing is charged.
    const resolved = answer.committed ? this.settle(route, answer, "ABORTED") : this.release();
    await resolved.catch((error: unknown) => this.logUnsettled(error));
    this.finish("ABORTED", route, answer.committed ? "aborted" : "aborted_early");
  }

  private async reject(status: number): Promise<void> {
    await this.release();
    const error = new DomainError(
      "BAD_USER_INPUT",
      `The model's server refused the request as invalid (status ${status}). Check its parameters.`,
    );
    this.reply.fail(error);
    this.finish("FAILED", null, "rejected");
  }

  private async giveUp(): Promise<void> {
    await this.release();
    if (this.options.turn.client.gone) return this.finish("ABORTED", null, "aborted_early");
    const error = this.noAnswer();
    this.reply.fail(error);
    const unserved = error.code === "PROVIDERS_BUSY" ? "providers_busy" : "no_route";
    this.finish("FAILED", null, this.attempts.length === 0 ? unserved : "failed");
  }

  private noAnswer(): DomainError {
    const { admission, request } = this.options;
    if (this.lastFailure?.kind === "UNKNOWN_THERE") return operationNotServed(request.operation, admission.model);
    const failure = this.lastFailure?.kind === "FAILED" ? this.lastFailure.failure : null;
    if (failure === null && this.routes.wereBusy) return providersBusy();
    return noAnswer(failure, this.attempts.length, this.routes.candidates);
  }

  private async settle(route: Route, answer: RelayAnswer, outcome: UsageOutcome): Promise<void> {
    const { admission, request, requestHash, startedMs, seen, turn } = this.options;
    const settlingMs = performance.now();
    const delivery = deliveryOf(admission, request, route, answer.delivered, {
      outcome,
      attempts: this.attempts.length,
      ttftMs: this.ttftMs,
      durationMs: Math.round(settlingMs - startedMs),
      requestHash,
      upstreamHash: this.outgoing.bodyHash,
    });
    if (delivery === null) return this.release();
    if (delivery.usage.clamped) {
      const evidence = { requestId: admission.requestId, endpointId: route.endpointId };
      this.relay.log.warn(evidence, "reported usage is outside what the relay saw");
    }
    if (turn.store !== null) await this.store(answer, outcome);
    this.end = "SPENT";
    const { permit } = admission;
    const { promptTokens, completionTokens } = delivery.usage;
    try {
      const { gpuNanos, chargedNanoCredit } = await this.relay.metering.settle(delivery);
      this.reply.costNanoCredit = chargedNanoCredit;
      seen.settleMs = performance.now() - settlingMs;
      seen.promptTokens = promptTokens;
      seen.completionTokens = completionTokens;
      this.relay.routing.delivered(route, gpuNanos);
      permit.settle(promptTokens + completionTokens);
    } catch (error) {
      // Of an answer that is not charged the client got nothing, unless it was streamed.
      if (answer.committed) permit.settle(promptTokens + completionTokens);
      else permit.giveBack();
      throw error;
    }
  }

  /** What is not stored is not settled. */
  private async store(answer: RelayAnswer, outcome: UsageOutcome): Promise<void> {
    try {
      await this.reply.store(answer, outcome);
    } catch (error) {
      await this.release().catch(() => undefined);
      throw error;
    }
  }

  private async release(): Promise<void> {
    const { admission, turn } = this.options;
    // Whoever asks and leaves, again and again, makes work: a request it was.
    if (turn.client.gone) admission.permit.abandon();
    else admission.permit.giveBack();
    await this.relay.metering.release(admission.requestId, admission.startupId, admission);
    this.reply.costNanoCredit = 0n;
    await turn.free();
  }

  private logUnsettled(error: unknown): void {
    this.relay.log.error(
      { err: error, requestId: this.options.admission.requestId },
      "delivered, not settled: the hold stays until the sweep",
    );
  }

  private observeAdmission(): void {
    const { admission, request, seen } = this.options;
    seen.model = admission.model;
    seen.streamed = request.stream;
    seen.maxTokens = admission.maxTokens;
    seen.admittedMs = performance.now();
    this.relay.metrics.admitted(seen);
  }

  private observeEnd(outcome: Outcome): void {
    const { turn, seen } = this.options;
    // A fault after the end is not another end.
    if (seen.endedMs > 0) return;
    seen.outcome = outcome;
    seen.bytesOut = turn.client.written;
    seen.endedMs = performance.now();
    this.relay.requestEnded(seen);
  }

  private finish(outcome: RoutingOutcome, route: Route | null, label: string): void {
    const { admission } = this.options;
    this.observeEnd(label);
    this.relay.routing.record({
      requestId: admission.requestId,
      startupId: admission.startupId,
      model: admission.model,
      outcome,
      endpointId: route?.endpointId ?? null,
      providerIds: [...new Set(admission.routes.map((candidate) => candidate.providerId))],
      candidates: this.routes.candidates,
      attempts: this.attempts,
      decidedAt: this.relay.clock.now(),
    });
  }
}

function resultOf(end: AttemptEnd): string {
  switch (end.kind) {
    case "COMPLETE":
      return "OK";
    case "FAILED":
      return end.result;
    case "CUT":
      return end.failure;
    case "REJECTED":
      return `STATUS_${end.status}`;
    case "UNKNOWN_THERE":
      return "REFUSED";
    case "CLIENT_GONE":
      return "CLIENT_GONE";
  }
}
