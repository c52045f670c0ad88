/** The OpenAI edge: one node:http server, one line per route, errors in OpenAI's shape. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { newRequestId } from "../metering/metering";
import { DomainError } from "../platform/errors";
import { BodyAborted, closeGracefully, createHttpServer } from "../platform/http-server";
import type { Metrics } from "../platform/metrics";
import { authenticate } from "./authenticate";
import type { RelayContext, RelayDependencies } from "./context";
import { asDomainError, sendError } from "./errors";
import { serveInference } from "./inference";
import { createRelayMetrics } from "./metrics";
import { listModels, oneModel } from "./models";
import { chat } from "./operations/chat";
import type { Operation } from "./operations/operation";
import { RetryBudget } from "./retry-budget";

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

type Route = (
  relay: RelayContext,
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
) => Promise<void>;

export function createRelayServer(dependencies: RelayDependencies, metrics: Metrics): RelayServer {
  const relay: RelayContext = {
    ...dependencies,
    metrics: createRelayMetrics(metrics, dependencies),
    retryBudget: new RetryBudget(),
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
      if (inFlight > relay.config.relay.inFlightMax)
        throw new DomainError("OVERLOADED", "Too many requests are running here. Try again shortly.");
      await routeFor(request.method ?? "GET", path, response)(relay, request, response, requestId);
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
      return cut;
    },
    inFlight: () => inFlight,
  };
}

function routeFor(method: string, path: string, response: ServerResponse): Route {
  const methods = path.startsWith("/v1/models/") ? routes["/v1/models/{id}"] : routes[path as keyof typeof routes];
  if (methods === undefined)
    throw new DomainError("NOT_FOUND", `No route ${path}. The relay serves ${Object.keys(routes).join(", ")}.`);
  const route = methods[method];
  if (route !== undefined) return route;
  const allowed = Object.keys(methods).join(", ");
  response.setHeader("allow", allowed);
  throw new DomainError("METHOD_NOT_ALLOWED", `${path} takes ${allowed}, not ${method}.`);
}

const routes: Readonly<Record<string, Readonly<Record<string, Route>>>> = {
  "/v1/models": {
    GET: async (relay, request, response, requestId) => {
      await authenticate(relay.accounts, request);
      json(response, requestId, listModels(relay.routing));
    },
  },
  "/v1/models/{id}": {
    GET: async (relay, request, response, requestId) => {
      await authenticate(relay.accounts, request);
      json(response, requestId, oneModel(relay.routing, modelOf(request.url ?? "")));
    },
  },
  [chat.path]: inference(chat),
};

function inference(operation: Operation): Readonly<Record<string, Route>> {
  return {
    POST: (relay, request, response, requestId) => serveInference(operation, relay, request, response, requestId),
  };
}

function modelOf(url: string): string {
  const text = url.slice("/v1/models/".length).split("?", 1)[0]!;
  try {
    return decodeURIComponent(text);
  } catch {
    throw new DomainError("BAD_USER_INPUT", "The model's name in the URL is not properly percent-encoded.", {
      field: "model",
    });
  }
}

function json(response: ServerResponse, requestId: string, body: string): void {
  response.writeHead(200, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "x-request-id": requestId,
  });
  response.end(body);
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
  if (known.code === "INTERNAL") relay.log.error({ err: error, requestId, path: request.url }, "relay request failed");
  relay.metrics.requests.inc({ outcome: known.code.toLowerCase() });
  sendError(response, requestId, known);
}
