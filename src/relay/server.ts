/** The OpenAI edge: one node:http server, its limits and its end, errors in OpenAI's shape. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { newRequestId } from "../metering/metering";
import { DomainError } from "../platform/errors";
import { BodyAborted, closeGracefully, createHttpServer } from "../platform/http-server";
import type { Metrics } from "../platform/metrics";
import { createAdmissionMetrics } from "./admission-metrics";
import type { RelayContext, RelayDependencies } from "./context";
import { asDomainError, sendError } from "./errors";
import { RedisAllowances } from "./limits/allowance-store";
import { RelayLimits } from "./limits/limits";
import { createRelayMetrics } from "./metrics";
import { Narrowings } from "./narrowings";
import { requestLog } from "./request-log";
import { RetryBudget } from "./retry-budget";
import { operationOf, routeFor } from "./routes";
import { ServedOperations } from "./served-operations";
import { Turns } from "./turns";

export interface RelayServer {
  readonly server: Server;
  /** Readiness turns 503 and nothing new is admitted; what runs goes on. */
  startDraining(): void;
  /**
   * Drains for `graceMs`, cuts what is left, and resolves when all of it is booked: only then may the database be closed.
   * Returns how many connections were cut.
   */
  stop(graceMs: number): Promise<number>;
  inFlight(): number;
}

export function createRelayServer(dependencies: RelayDependencies, metrics: Metrics): RelayServer {
  const admissionMetrics = createAdmissionMetrics(metrics, dependencies.routing);
  const { redis } = dependencies;
  const limits = new RelayLimits({
    config: dependencies.config.relay.limits,
    clock: dependencies.clock,
    store: dependencies.allowances ?? (redis && new RedisAllowances(redis)),
    onRefusal: ({ subject, need }) => admissionMetrics.refusals.inc({ cause: `${subject.kind}_${need}` }),
    onFlight: (result) => admissionMetrics.flights.inc({ result }),
  });
  const retryBudget = new RetryBudget();
  const measured = createRelayMetrics(metrics, { ...dependencies, retryBudget });
  const watchers = [measured.ended, requestLog(dependencies.log), ...(dependencies.watchers ?? [])];
  const relay: RelayContext = {
    ...dependencies,
    metrics: measured,
    retryBudget,
    served: new ServedOperations(),
    narrowings: new Narrowings(),
    turns: new Turns(dependencies, measured),
    admissionMetrics,
    limits,
    requestEnded(seen) {
      for (const watcher of watchers) watcher(seen);
    },
  };
  let draining = false;
  let inFlight = 0;
  const whenIdle: (() => void)[] = [];

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const requestId = newRequestId();
    const path = (request.url ?? "/").split("?", 1)[0]!;
    if (path === "/healthz") return plain(response, 200, "ok");
    if (path === "/readyz") return plain(response, draining ? 503 : 200, draining ? "draining" : "ready");
    inFlight += 1;
    relay.metrics.inFlight.set(inFlight);
    try {
      if (draining) throw new DomainError("SHUTTING_DOWN", "This server is shutting down. Send the request again.");
      if (inFlight > relay.config.relay.inFlightMax) {
        admissionMetrics.refusals.inc({ cause: "in_flight" });
        throw new DomainError("OVERLOADED", "Too many requests are running here. Try again shortly.");
      }
      const { route, params } = routeFor(request.method ?? "GET", path, response);
      await route(relay, request, response, requestId, params);
    } catch (error) {
      answerFailure(relay, request, response, requestId, error);
    } finally {
      inFlight -= 1;
      relay.metrics.inFlight.set(inFlight);
      if (inFlight === 0) for (const resolve of whenIdle.splice(0)) resolve();
    }
  };

  const server = createHttpServer((request, response) => void serve(request, response), { noDelay: true });
  return {
    server,
    startDraining() {
      draining = true;
    },
    async stop(graceMs) {
      draining = true;
      const cut = await closeGracefully(server, graceMs);
      // Their clients are gone, and what these were given is still to be settled.
      if (inFlight > 0) await new Promise<void>((resolve) => whenIdle.push(resolve));
      relay.turns.close();
      await limits.close();
      return cut;
    },
    inFlight: () => inFlight,
  };
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain", "content-length": text.length });
  response.end(text);
}

function answerFailure(
  relay: RelayContext,
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
  error: unknown,
): void {
  if (error instanceof BodyAborted) {
    response.destroy();
    return;
  }
  const known = asDomainError(error);
  const operation = operationOf(request.url ?? "/");
  // Not the URL: what a client puts into it is nobody's business.
  if (known.code === "INTERNAL") relay.log.error({ err: error, requestId, operation }, "relay request failed");
  relay.metrics.requests.inc({ operation, outcome: known.code.toLowerCase() });
  sendError(response, requestId, known);
}
