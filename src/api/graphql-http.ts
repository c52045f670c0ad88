/** GraphQL over HTTP: Apollo Server for whatever is new or unusual, a short way of ours for documents that it let pass before. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { HeaderMap } from "@apollo/server";
import type { GraphQLSchema } from "graphql";
import { LRUCache } from "lru-cache";
import type { Config } from "../platform/config";
import { DomainError } from "../platform/errors";
import { readBody } from "../platform/http-server";
import type { Log } from "../platform/log";
import type { Services } from "../services";
import { addressOf } from "./address";
import { type ApolloCall, createApollo } from "./apollo";
import { credentialsOf, viewerOf } from "./authentication";
import { isRefused } from "./documents";
import { presentErrors, withRequestId } from "./errors";
import { NO_SUCH_DOCUMENT, type OperationRequest, type Operations, stringify } from "./operations";
import { type Call, createPerformer, faultLogger, type Performed } from "./perform";

export interface GraphqlHttp {
  /** Errors: UNAUTHENTICATED, BODY_TOO_LARGE, MALFORMED_BODY, BodyAborted; others of the request are in its answer. */
  handle(request: IncomingMessage, response: ServerResponse, requestId: string): Promise<void>;
  stop(): Promise<void>;
}

export interface GraphqlDependencies {
  readonly config: Config;
  readonly schema: GraphQLSchema;
  readonly services: Services;
  readonly operations: Operations;
  readonly log: Log;
}

/** Accept headers whose answer is remembered; clients send few different ones. */
const ACCEPTS_MAX = 200;
const JSON_TYPE = "application/json; charset=utf-8";

type Body = { readonly [name: string]: unknown };
type TextBody = Body & { readonly query: string };

export async function createGraphqlHttp(dependencies: GraphqlDependencies): Promise<GraphqlHttp> {
  const { config, services, operations, log } = dependencies;
  const performer = createPerformer(operations, services);
  const apollo = await createApollo(dependencies, performer);
  // Learned from Apollo's answers: the short way chooses as it does, without its negotiation.
  const contentTypes = new LRUCache<string, string>({ max: ACCEPTS_MAX });

  const isKnown = (body: unknown): body is TextBody => isText(body) && operations.knows(body.query);

  const send = (response: ServerResponse, call: Call, contentType: string, performed: Performed) => {
    const { result, cost, status, headers } = performed;
    const errors = result.errors && presentErrors(result.errors, call.requestId, faultLogger(log, call));
    // An error as it is shown is all that is ever asked of one from here on.
    const shown = { ...result, ...(errors && { errors: errors as never }), extensions: { cost } };
    write(response, status, { ...headers, "content-type": contentType }, stringify(shown));
  };

  const byApollo = async (request: IncomingMessage, response: ServerResponse, body: unknown, call: ApolloCall) => {
    const accept = request.headers.accept;
    const { status = 200, headers, body: answer } = await apollo.answer(headOf(request, operations), body, call);
    const { performed } = call;
    const type = headers.get("content-type");
    if (performed && status === 200 && accept !== undefined && type !== undefined) contentTypes.set(accept, type);
    const text = performed || status < 400 ? answer : withRequestIds(answer, call.requestId);
    write(response, performed?.status ?? status, { ...call.headers, ...Object.fromEntries(headers) }, text);
  };

  return {
    async handle(request, response, requestId) {
      const viewer = await viewerOf(services.accounts, credentialsOf(request));
      const address = addressOf(request, config.trustedProxies);
      const body = request.method === "POST" ? await readJson(request, config.apiBodyLimitBytes) : undefined;
      const call: ApolloCall = { viewer, address, requestId, signal: signalOf(response), performed: null, headers: {} };
      const accept = request.headers.accept;
      const contentType = accept === undefined ? JSON_TYPE : contentTypes.get(accept);
      const ourselves = async () =>
        send(response, call, contentType ?? JSON_TYPE, await performer.perform(body as Body, call));
      if (isKnown(body)) {
        if (contentType !== undefined && isPlain(body)) return ourselves();
      } else if (namesText(request, body)) {
        const throttled = await performer.chargeReading(call);
        if (throttled) return send(response, call, contentType ?? JSON_TYPE, throttled);
        // Apollo would parse what is too large for that before anything of ours could say so.
        if (isText(body) && isPlain(body) && isRefused(operations.read(body.query))) return ourselves();
      }
      if (isRecord(body) && body.documentId != null) return ourselves();
      return byApollo(request, response, body, call);
    },
    stop: () => apollo.stop(),
  };
}

const isRecord = (value: unknown): value is Body =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isText = (body: unknown): body is TextBody => isRecord(body) && typeof body.query === "string";

/** Whether Apollo would have nothing to say about its form. */
function isPlain({ operationName, variables, extensions }: OperationRequest): boolean {
  return (
    (operationName == null || typeof operationName === "string") &&
    (variables == null || isRecord(variables)) &&
    (extensions == null || (isRecord(extensions) && extensions.persistedQuery == null))
  );
}

/** Undefined when it is not declared as JSON: Apollo then refuses what a browser form could have sent. */
async function readJson(request: IncomingMessage, limitBytes: number): Promise<unknown> {
  const bytes = await readBody(request, limitBytes);
  if (!/^application\/([\w.-]+\+)?json\b/i.test(request.headers["content-type"] ?? "")) return undefined;
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    throw new DomainError("MALFORMED_BODY", "The body is not JSON.");
  }
}

/** Whether there is a text to be read: a body of ours, or a link's. */
function namesText(request: IncomingMessage, body: unknown): boolean {
  return isText(body) || (request.method === "GET" && (request.url ?? "").includes("query="));
}

function write(response: ServerResponse, status: number, headers: Record<string, string>, text: string): void {
  response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(text) });
  response.end(text);
}

/** Errors: PERSISTED_DOCUMENT_NOT_FOUND. */
function headOf(request: IncomingMessage, { persisted }: Operations) {
  const headers = new HeaderMap();
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  const [, search = ""] = (request.url ?? "/").split("?", 2);
  const parameters = new URLSearchParams(search);
  const documentId = parameters.get("documentId");
  if (documentId !== null && !parameters.has("query")) {
    const text = persisted.byDocumentId(documentId);
    if (text === undefined) throw new DomainError("PERSISTED_DOCUMENT_NOT_FOUND", NO_SUCH_DOCUMENT);
    parameters.delete("documentId");
    // Apollo does not know of manifests; a link may name a document all the same.
    parameters.set("query", text);
  }
  return { method: request.method ?? "GET", headers, search: `?${parameters}` };
}

function signalOf(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort();
  });
  return gone.signal;
}

/** Errors from before the pipeline (CSRF, a malformed request) never met the plugin that adds the id. */
function withRequestIds(body: string, requestId: string): string {
  const answer = JSON.parse(body) as { errors?: { message: string; extensions?: Record<string, unknown> }[] };
  return JSON.stringify({
    ...answer,
    ...(answer.errors ? { errors: answer.errors.map((error) => withRequestId(error, requestId)) } : {}),
  });
}
