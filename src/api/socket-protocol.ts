/** What a GraphQL socket may say and hear: who it is, one subscription's way from text to stream, errors as over HTTP. */
import type { IncomingMessage } from "node:http";
import { type ExecutionArgs, GraphQLError, getOperationAST } from "graphql";
import type { Context as Connection, ExecutionResult, ServerOptions, SubscribePayload } from "graphql-ws";
import type { WebSocket } from "ws";
import type { Viewer } from "../accounts/viewer";
import { newId } from "../platform/ids";
import { bearerOf } from "./authentication";
import type { Context } from "./context";
import { documentPreparer, type Prepare } from "./documents";
import { presentError, withRequestId } from "./errors";
import type { GraphqlDependencies } from "./graphql-http";
import { createLoaders } from "./loaders";
import { subscribeFresh } from "./subscribe";

const SUBSCRIPTIONS_PER_SOCKET_MAX = 100;
/** After it the stock client connects again. */
const TRY_AGAIN_LATER = 1013;

interface Operation {
  readonly requestId: string;
  readonly gone: AbortController;
}

/** What is known of one socket. */
export interface Peer {
  readonly socket: WebSocket;
  readonly request: IncomingMessage;
  readonly operations: Map<string, Operation>;
  viewer: Viewer | null;
  secret: string | null;
  alive: boolean;
}

export type ConnectionParams = Record<string, unknown> | undefined;
type PeerConnection = Connection<ConnectionParams, Peer>;

export function socketProtocol(dependencies: GraphqlDependencies): ServerOptions<ConnectionParams, Peer> {
  const { config, schema, log } = dependencies;
  const prepare = documentPreparer(schema, config.introspection);
  const present = (errors: readonly unknown[], requestId: string) =>
    errors.map((error) => {
      const { formatted, fault } = presentError(error);
      if (fault) log.error({ err: fault, requestId }, "GraphQL subscription failed");
      return withRequestId(formatted, requestId);
    });
  const forget = ({ extra: { operations } }: PeerConnection, id: string) => {
    operations.get(id)?.gone.abort();
    operations.delete(id);
  };
  return {
    onConnect: (connection) => admit(connection, dependencies),
    onSubscribe: ({ extra: peer }, id, payload) => {
      const operation = { requestId: newId(), gone: new AbortController() };
      peer.operations.set(id, operation);
      return executionArgs(peer, operation, payload, prepare, dependencies);
    },
    subscribe: (args) => subscribeFresh(args as ExecutionArgs & { contextValue: Context }),
    onNext: (_connection, _id, _payload, args, result: ExecutionResult) => {
      if (!result.errors) return undefined;
      return { data: result.data ?? null, errors: present(result.errors, (args.contextValue as Context).requestId) };
    },
    onError: (connection, id, _payload, errors) => {
      const requestId = connection.extra.operations.get(id)?.requestId ?? newId();
      forget(connection, id);
      return present(errors, requestId);
    },
    onComplete: forget,
  };
}

/** False closes the socket with 4403. */
async function admit(connection: PeerConnection, { services, log }: GraphqlDependencies): Promise<boolean> {
  const { extra: peer, connectionParams } = connection;
  const given = connectionParams?.authorization ?? connectionParams?.Authorization;
  const secret = bearerOf(typeof given === "string" ? given : peer.request.headers.authorization) ?? null;
  try {
    peer.viewer = await services.accounts.authenticate(secret ?? undefined);
    peer.secret = secret;
  } catch (err) {
    log.warn({ err }, "WebSocket could not be authenticated");
    peer.socket.close(TRY_AGAIN_LATER, "Try again later");
  }
  return peer.viewer !== null;
}

function executionArgs(
  { viewer, operations }: Peer,
  { requestId, gone }: Operation,
  payload: SubscribePayload,
  prepare: Prepare,
  { schema, services }: GraphqlDependencies,
): ExecutionArgs | readonly GraphQLError[] {
  if (operations.size > SUBSCRIPTIONS_PER_SOCKET_MAX) {
    return [refused(`A socket carries up to ${SUBSCRIPTIONS_PER_SOCKET_MAX} subscriptions.`)];
  }
  const document = typeof payload.query === "string" ? prepare(payload.query) : [refused("query is missing")];
  if (!("kind" in document)) return document;
  const { operationName = null, variables = null } = payload;
  if (getOperationAST(document, operationName)?.operation !== "subscription") {
    return [refused("WebSockets carry subscriptions; send queries and mutations by POST, at the same URL.")];
  }
  const loaders = createLoaders(services, viewer);
  const contextValue: Context = { viewer, services, loaders, requestId, signal: gone.signal };
  return { schema, document, operationName, variableValues: variables, contextValue };
}

const refused = (message: string) => new GraphQLError(message, { extensions: { code: "BAD_USER_INPUT" } });
