/** The API's one port: /graphql over HTTP, WebSocket and server-sent events, health, metrics, published documents. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { ambiguityOf } from "../platform/ambiguous-request";
import type { Config } from "../platform/config";
import { asUnavailable } from "../platform/database";
import { DomainError } from "../platform/errors";
import { BodyAborted, closeGracefully, createHttpServer } from "../platform/http-server";
import { newId } from "../platform/ids";
import type { Log } from "../platform/log";
import type { Metrics } from "../platform/metrics";
import { sendWhole } from "../platform/whole-answer";
import type { Services } from "../services";
import { BANK_WEBHOOK, handleBankWebhook } from "./bank-webhook";
import { buildApiSchema, type ResolverClasses } from "./build-schema";
import { refusal } from "./errors";
import { FanOut } from "./fan-out";
import { type Graphiql, openGraphiql } from "./graphiql";
import { createGraphqlHttp, type GraphqlHttp } from "./graphql-http";
import { createGraphqlSse, type GraphqlSse } from "./graphql-sse";
import { createGraphqlWebSocket, type GraphqlWebSocket } from "./graphql-websocket";
import { LiveViewers } from "./live-viewers";
import { createOperations } from "./operations";
import type { Manifest } from "./persisted-documents";
import { handleSession } from "./sessions";

/** How long readiness waits for the database. */
const READY_TIMEOUT_MS = 2_000;

/** A fixed answer at a path of its own, e.g. the JWKS. */
export interface PublishedDocument {
  readonly contentType: string;
  readonly body: string;
}

export interface ApiDependencies {
  readonly config: Config;
  readonly services: Services;
  readonly log: Log;
  readonly metrics: Metrics;
  // biome-ignore lint/complexity/noBannedTypes: type-graphql's own word for a resolver class.
  readonly resolvers: readonly Function[];
  readonly documents: Readonly<Record<string, PublishedDocument>>;
  /** What may be sent by its documentId. */
  readonly manifest?: Manifest | undefined;
}

export interface ApiServer {
  readonly server: Server;
  /** Readiness turns 503 and no new socket is taken; what runs goes on. */
  startDraining(): void;
  /** What it serves at the moment. */
  live(): { sockets: number; subscriptions: number };
  /** Drains within the configured grace: sockets are told to connect elsewhere, requests are finished. */
  stop(): Promise<void>;
}

interface Edge extends ApiDependencies {
  readonly http: GraphqlHttp;
  readonly events: GraphqlSse;
  readonly graphiql: Graphiql | null;
  readonly isDraining: () => boolean;
}

export async function createApiServer(dependencies: ApiDependencies): Promise<ApiServer> {
  const { config, services, log, metrics } = dependencies;
  const schema = buildApiSchema(dependencies.resolvers as unknown as ResolverClasses);
  const operations = createOperations({
    config,
    schema,
    manifest: dependencies.manifest,
    redis: services.redis?.commands,
  });
  const http = await createGraphqlHttp({ config, schema, services, operations, log });
  const fanOut = new FanOut({ schema, services, log, metrics });
  const viewers = new LiveViewers({ accounts: services.accounts, bus: services.bus, log });
  const live = { config, schema, services, operations, log, fanOut, viewers };
  const sockets = createGraphqlWebSocket(live);
  const events = createGraphqlSse(live);
  const requests = metrics.counter<"status">({
    name: "exergy_api_requests_total",
    help: "Requests to the API by HTTP status.",
    labels: ["status"],
  });
  metrics.gauge({ name: "exergy_api_sockets", help: "Open WebSockets.", read: () => sockets.openSockets() });
  metrics.gauge({
    name: "exergy_api_subscriptions",
    help: "Running subscriptions.",
    read: () => sockets.openSubscriptions() + events.open(),
  });
  metrics.gauge({ name: "exergy_api_event_streams", help: "Open SSE connections.", read: () => events.open() });

  let draining = false;
  const edge: Edge = {
    ...dependencies,
    http,
    events,
    graphiql: config.graphiql ? openGraphiql() : null,
    isDraining: () => draining,
  };
  const server = createHttpServer((request, response) => {
    // Not `finish`: the response to a body that was refused is never ended, see sendWhole.
    response.once("close", () => {
      if (response.headersSent) requests.inc({ status: String(response.statusCode) });
    });
    void serve(edge, request, response);
  });
  server.on("upgrade", (request, socket, head) => upgrade(edge, sockets, request, socket, head));
  return {
    server,
    live: () => ({
      sockets: sockets.openSockets() + events.open(),
      subscriptions: sockets.openSubscriptions() + events.open(),
    }),
    startDraining() {
      draining = true;
    },
    async stop() {
      draining = true;
      const { drainGraceMs } = config;
      await Promise.all([
        closeGracefully(server, drainGraceMs),
        sockets.close(drainGraceMs),
        events.close(drainGraceMs),
      ]);
      viewers.stop();
      await http.stop();
    },
  };
}

async function serve(edge: Edge, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const requestId = newId();
  response.setHeader("x-request-id", requestId);
  try {
    await route(edge, request, response, requestId);
  } catch (error) {
    if (error instanceof BodyAborted) {
      response.destroy();
      return;
    }
    const known = asUnavailable(error);
    const shown =
      known instanceof DomainError
        ? known
        : new DomainError("INTERNAL", "Something went wrong on our side. Quote the request id when you report it.");
    if (shown !== known) edge.log.error({ err: error, requestId, path: request.url }, "API request failed");
    const { status, body } = refusal(shown, requestId);
    sendWhole(response, status, { "content-type": "application/json; charset=utf-8" }, body);
  }
}

async function route(edge: Edge, request: IncomingMessage, response: ServerResponse, requestId: string): Promise<void> {
  const path = (request.url ?? "/").split("?", 1)[0]!;
  if (path === BANK_WEBHOOK) return handleBankWebhook(edge.services.payouts.callbacks, request, response);
  if (path === "/session") return handleSession(edge.services.accounts, request, response, requestId);
  if (path === "/graphql") {
    const { handle } = edge.events.takes(request) ? edge.events : edge.http;
    return handle(request, response, requestId);
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    throw new DomainError("METHOD_NOT_ALLOWED", `${path} takes GET, not ${request.method}.`);
  }
  if (edge.graphiql?.serves(path)) return edge.graphiql.answer(path, request, response);
  const document = Object.hasOwn(edge.documents, path) ? edge.documents[path] : undefined;
  if (document) return answer(response, 200, document.contentType, document.body);
  if (path === "/healthz") return answer(response, 200, "text/plain", "ok");
  if (path === "/metrics") return answer(response, 200, edge.metrics.contentType, await edge.metrics.text());
  if (path === "/readyz") {
    const unready = edge.isDraining() ? "draining" : (await databaseAnswers(edge)) ? null : "database unavailable";
    return answer(response, unready ? 503 : 200, "text/plain", unready ?? "ready");
  }
  throw new DomainError("NOT_FOUND", `No route ${path}. GraphQL is at /graphql.`);
}

function answer(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { "content-type": contentType, "content-length": Buffer.byteLength(body) });
  response.end(body);
}

async function databaseAnswers({ services }: Edge): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), READY_TIMEOUT_MS);
  });
  const read = services.outbox.head().then(
    () => true,
    () => false,
  );
  return Promise.race([read, late]).finally(() => clearTimeout(timer));
}

function upgrade(edge: Edge, sockets: GraphqlWebSocket, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  socket.on("error", () => socket.destroy());
  const path = (request.url ?? "/").split("?", 1)[0];
  if (ambiguityOf(request) !== null) refuseUpgrade(socket, "400 Bad Request");
  else if (edge.isDraining()) refuseUpgrade(socket, "503 Service Unavailable");
  else if (path !== "/graphql") refuseUpgrade(socket, "404 Not Found");
  else sockets.upgrade(request, socket, head);
}

function refuseUpgrade(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}
