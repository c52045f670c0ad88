/** GraphQL over server-sent events, one connection per operation: for proxies that take no WebSockets, for curl, for EventSource. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { GraphQLError, type GraphQLFormattedError } from "graphql";
import type { Viewer } from "../accounts/viewer";
import { DomainError } from "../platform/errors";
import { readBody } from "../platform/http-server";
import { addressOf } from "./address";
import { credentialsOf, viewerOf } from "./authentication";
import { EventOutlet } from "./event-outlet";
import { leaveInTurns } from "./leave-in-turns";
import type { LiveConnection } from "./live-viewers";
import { isPrepared, type OperationRequest, type Prepared } from "./operations";
import { type Call, createPerformer } from "./perform";
import type { LiveDependencies } from "./socket-protocol";
import { presented } from "./streams/rendering";

/** Below the minute or so for which proxies let a connection be silent. */
const KEEP_ALIVE_MS = 12_000;
/** Within it, at random, a client that was sent away comes back. */
const RETRY_MS = 2_000;

export interface GraphqlSse {
  /** Whether this request wants its answer as events. */
  takes(request: IncomingMessage): boolean;
  /** Errors: UNAUTHENTICATED, OVERLOADED, SHUTTING_DOWN, BODY_TOO_LARGE, MALFORMED_BODY, METHOD_NOT_ALLOWED, BodyAborted; others are in the events. */
  handle(request: IncomingMessage, response: ServerResponse, requestId: string): Promise<void>;
  /** Ends every stream, some now and some later within the window; its client comes back with its cursor. */
  close(windowMs: number): Promise<void>;
  open(): number;
}

interface EventStream extends LiveConnection {
  readonly outlet: EventOutlet;
}

export function createGraphqlSse(dependencies: LiveDependencies): GraphqlSse {
  const { config, services, operations, fanOut, viewers, log } = dependencies;
  const performer = createPerformer(operations, services);
  const streams = new Set<EventStream>();
  let draining = false;
  const keepAlive = setInterval(() => {
    for (const { outlet } of streams) outlet.keepAlive();
  }, KEEP_ALIVE_MS).unref();

  const follow = async (prepared: Prepared, response: ServerResponse, call: Call): Promise<void> => {
    const { viewer, requestId } = call;
    await operations.charge(viewer, call.address, prepared.cost);
    const outlet = new EventOutlet(response, (errors) => presented(errors, requestId, log));
    const stream: EventStream = { outlet, viewer, dismiss: () => outlet.shed() };
    if (!viewers.enter(stream)) throw new DomainError("OVERLOADED", "This credential has too many connections open.");
    streams.add(stream);
    let leave = () => {};
    response.once("close", () => {
      streams.delete(stream);
      viewers.leave(stream);
      leave();
    });
    const admission = await fanOut.admit(prepared, viewer, requestId);
    if (!("join" in admission)) return outlet.finish(presented(admission.errors ?? [], requestId, log));
    if (response.destroyed) return;
    outlet.open();
    leave = admission.join(outlet);
    // Whoever left, or was sent away, while joining was not known to the channel then.
    if (outlet.closed) leave();
  };

  return {
    // First of what is accepted: urql's queries name it behind JSON.
    takes: (request) => /^\s*text\/event-stream\b/.test(request.headers.accept ?? ""),
    async handle(request, response, requestId) {
      if (draining) throw new DomainError("SHUTTING_DOWN", "This server is draining. Another one will answer.");
      const viewer: Viewer | null = await viewerOf(services.accounts, credentialsOf(request));
      const operation = await readOperation(request, config.apiBodyLimitBytes);
      const call: Call = {
        viewer,
        address: addressOf(request, config.trustedProxies),
        requestId,
        signal: signalOf(response),
      };
      const answer = (errors: readonly unknown[], data?: unknown) => {
        const shown: GraphQLFormattedError[] = presented(errors, requestId, log);
        new EventOutlet(response, () => shown).finish(shown, data);
      };
      try {
        if (typeof operation.query === "string" && !operations.knows(operation.query)) {
          const throttled = await performer.chargeReading(call);
          if (throttled) return answer(throttled.result.errors ?? []);
        }
        const prepared = await operations.prepare(operation, viewer);
        if (!isPrepared(prepared)) return answer(prepared);
        const kind = prepared.operation.operation;
        if (kind === "subscription") return await follow(prepared, response, call);
        // A link, an image or a form of another site could send it.
        if (kind === "mutation" && request.method !== "POST") {
          throw new DomainError("BAD_USER_INPUT", "Mutations are sent by POST.");
        }
        const { result } = await performer.perform(operation, call);
        return answer(result.errors ?? [], result.data);
      } catch (error) {
        // The protocol has every refusal of the operation itself in the stream.
        if (!(error instanceof DomainError) || response.headersSent || error.code === "OVERLOADED") throw error;
        return answer([new GraphQLError(error.message, { originalError: error })]);
      }
    },
    async close(windowMs) {
      draining = true;
      await leaveInTurns([...streams], windowMs, ({ outlet }) => outlet.shed(Math.random() * RETRY_MS));
      clearInterval(keepAlive);
    },
    open: () => streams.size,
  };
}

/** Errors: MALFORMED_BODY, METHOD_NOT_ALLOWED, BODY_TOO_LARGE, BodyAborted. */
async function readOperation(request: IncomingMessage, limitBytes: number): Promise<OperationRequest> {
  if (request.method === "POST") {
    const bytes = await readBody(request, limitBytes);
    // What a form of another site can send has another type.
    if (!/^application\/([\w.-]+\+)?json\b/i.test(request.headers["content-type"] ?? "")) {
      throw new DomainError("MALFORMED_BODY", "Send content-type: application/json.");
    }
    return objectOf(bytes.toString("utf8"), "The body") as OperationRequest;
  }
  if (request.method !== "GET") throw new DomainError("METHOD_NOT_ALLOWED", "GraphQL takes GET and POST.");
  const given = new URL(request.url ?? "/", "http://localhost").searchParams;
  const json = (name: string) => (given.get(name) ? objectOf(given.get(name)!, name) : undefined);
  return {
    query: given.get("query") ?? undefined,
    documentId: given.get("documentId") ?? undefined,
    operationName: given.get("operationName") ?? undefined,
    variables: json("variables"),
    extensions: json("extensions"),
  };
}

function objectOf(text: string, what: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new DomainError("MALFORMED_BODY", `${what} is not a JSON object.`);
  }
  return value;
}

function signalOf(response: ServerResponse): AbortSignal {
  if (response.destroyed) return AbortSignal.abort();
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  return gone.signal;
}
