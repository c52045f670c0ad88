/** Every route of the relay, one line each, and how a path finds its own. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { DomainError } from "../platform/errors";
import { authenticate } from "./authenticate";
import type { RelayContext } from "./context";
import { serveInference } from "./inference";
import { listModels, oneModel } from "./models";
import { operationName } from "./observation";
import { openApiText } from "./openapi/document";
import type { Operation } from "./operations/operation";
import { operations } from "./operations/operations";
import { receiptBody } from "./receipts";
import { workloadRoutes } from "./workloads/workload-routes";

export type Route = (
  relay: RelayContext,
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
  /** What stands in the place of each `{…}` of the path, decoded. */
  params: readonly string[],
) => Promise<void>;

type Methods = Readonly<Record<string, Route>>;

/** By path, `{…}` for one segment of it; a model's name may have slashes. */
export const routes: Readonly<Record<string, Methods>> = {
  "/v1/models": {
    GET: async (relay, request, response, requestId) => {
      await authenticate(relay.accounts, request);
      sendJson(response, requestId, listModels(relay.routing));
    },
  },
  "/v1/models/{model}": {
    GET: async (relay, request, response, requestId, [model]) => {
      await authenticate(relay.accounts, request);
      sendJson(response, requestId, oneModel(relay.routing, model!));
    },
  },
  "/openapi.json": {
    GET: async (_relay, _request, response, requestId) => sendJson(response, requestId, openApiText),
  },
  "/v1/receipts/{request_id}": {
    GET: async (relay, request, response, requestId, [asked]) => {
      const viewer = await authenticate(relay.accounts, request);
      sendJson(response, requestId, receiptBody(await relay.receipts.ofRequest(viewer, asked!)));
    },
  },
  ...Object.fromEntries(operations.map((operation) => [operation.path, inference(operation)])),
  ...workloadRoutes,
};

const whole = new Map(Object.entries(routes).filter(([path]) => !path.includes("{")));
const patterns = Object.entries(routes)
  .filter(([path]) => path.includes("{"))
  .map(([path, methods]) => ({
    path,
    names: [...path.matchAll(/\{(\w+)\}/g)].map((found) => found[1]!),
    pattern: new RegExp(`^${path.replace("{model}", "(.+)").replaceAll(/\{\w+\}/g, "([^/]+)")}$`),
    methods,
  }));
const noParams: readonly string[] = [];

/** Errors: NOT_FOUND, METHOD_NOT_ALLOWED (the answer's `allow` is set), BAD_USER_INPUT. */
export function routeFor(
  method: string,
  path: string,
  response: ServerResponse,
): { route: Route; params: readonly string[] } {
  const { methods, params } = methodsOf(path);
  const route = methods[method];
  if (route !== undefined) return { route, params };
  const allowed = Object.keys(methods).join(", ");
  response.setHeader("allow", allowed);
  throw new DomainError("METHOD_NOT_ALLOWED", `${path} takes ${allowed}, not ${method}.`);
}

function methodsOf(path: string): { methods: Methods; params: readonly string[] } {
  const methods = whole.get(path);
  if (methods !== undefined) return { methods, params: noParams };
  for (const { pattern, names, methods } of patterns) {
    const found = pattern.exec(path);
    if (found !== null) return { methods, params: names.map((name, i) => decoded(found[i + 1]!, name)) };
  }
  throw new DomainError("NOT_FOUND", `No route ${path}. The relay serves ${Object.keys(routes).join(", ")}.`);
}

/** What was asked for, in few words of our own: a path that is no route is `other`. */
export function operationOf(url: string): string {
  const path = url.split("?", 1)[0]!;
  const route = whole.has(path) ? path : patterns.find(({ pattern }) => pattern.test(path))?.path;
  return route === undefined ? "other" : operationName(route);
}

function decoded(text: string, name: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new DomainError("BAD_USER_INPUT", `The ${name} in the URL is not properly percent-encoded.`, { field: name });
  }
}

function inference(operation: Operation): Methods {
  return {
    POST: (relay, request, response, requestId) => serveInference(operation, relay, request, response, requestId),
  };
}

export function sendJson(response: ServerResponse, requestId: string, body: string): void {
  response.writeHead(200, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "x-request-id": requestId,
  });
  response.end(body);
}
