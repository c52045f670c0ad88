/** What a GraphQL socket may say and hear: who it is, one subscription's way from text to stream, errors as over HTTP. */
import type { Duplex } from "node:stream";
import { type ExecutionArgs, GraphQLError } from "graphql";
import type { Context as Connection, ExecutionResult, ServerOptions, SubscribePayload } from "graphql-ws";
import type { WebSocket } from "ws";
import type { Viewer } from "../accounts/viewer";
import { DomainError } from "../platform/errors";
import { newId } from "../platform/ids";
import { type Credentials, viewerOf } from "./authentication";
import type { FanOut } from "./fan-out";
import type { GraphqlDependencies } from "./graphql-http";
import type { LiveConnection, LiveViewers } from "./live-viewers";
import { isPrepared, type Prepared, refused } from "./operations";
import { createPerformer, type Performer } from "./perform";
import { SocketSubscription } from "./socket-subscription";
import { never, presented } from "./streams/rendering";

const SUBSCRIPTIONS_PER_SOCKET_MAX = 100;
/** After it the stock client connects again. */
const TRY_AGAIN_LATER = 1013;

export interface LiveDependencies extends GraphqlDependencies {
  readonly fanOut: FanOut;
  readonly viewers: LiveViewers;
}

/** What is known of one socket. The request that opened it is not: its headers are most of what an idle socket would hold. */
export interface Peer extends LiveConnection {
  readonly socket: WebSocket;
  readonly raw: Duplex;
  readonly address: string;
  /** Null when they were looked at. */
  credentials: Credentials | null;
  viewer: Viewer | null;
  alive: boolean;
  subscriptions: number;
  /** Frames that were written since nothing waited last. */
  waiting: number;
}

export type ConnectionParams = Record<string, unknown> | undefined;
type PeerConnection = Connection<ConnectionParams, Peer>;

/** Travels from one of graphql-ws's hooks to the next in the place of a context. */
interface Asked {
  readonly peer: Peer;
  readonly id: string;
  readonly prepared: Prepared;
  readonly requestId: string;
}

export function socketProtocol(dependencies: LiveDependencies): ServerOptions<ConnectionParams, Peer> {
  const { log, operations, services } = dependencies;
  const performer = createPerformer(operations, services);
  return {
    onConnect: (connection) => admit(connection, dependencies),
    onSubscribe: (connection, id, payload) => prepare(connection, id, payload, { ...dependencies, performer }),
    subscribe: (args) => subscribe((args as ExecutionArgs).contextValue as Asked, dependencies.fanOut),
    onNext: (_connection, _id, _payload, args, { data, errors }: ExecutionResult) =>
      errors
        ? { data: data ?? null, errors: presented(errors, (args.contextValue as Asked).requestId, log) }
        : undefined,
    onError: (_connection, _id, _payload, errors) => presented(errors, newId(), log),
  };
}

/** False closes the socket with 4403. */
async function admit(connection: PeerConnection, { services, viewers, log }: LiveDependencies): Promise<boolean> {
  const { extra: peer, connectionParams } = connection;
  const given = connectionParams?.authorization ?? connectionParams?.Authorization;
  // Browsers set no headers on a socket: what would be one comes with the first message.
  const organisation = connectionParams?.["x-exergy-organisation"];
  const credentials = {
    ...peer.credentials,
    ...(typeof given === "string" ? { authorization: given } : {}),
    ...(typeof organisation === "string" ? { organisation } : {}),
  };
  peer.credentials = null;
  try {
    peer.viewer = await viewerOf(services.accounts, credentials);
  } catch (err) {
    if (!(err instanceof DomainError && err.code === "UNAUTHENTICATED")) {
      log.warn({ err }, "WebSocket could not be authenticated");
      peer.socket.close(TRY_AGAIN_LATER, "Try again later");
    }
    return false;
  }
  if (peer.viewer === null || peer.socket.readyState !== peer.socket.OPEN) return false;
  if (viewers.enter(peer)) return true;
  peer.socket.close(TRY_AGAIN_LATER, "Too many connections of this credential");
  return false;
}

async function prepare(
  { extra: peer, subscriptions }: PeerConnection,
  id: string,
  payload: SubscribePayload,
  { schema, operations, performer }: LiveDependencies & { performer: Performer },
): Promise<ExecutionArgs | readonly GraphQLError[]> {
  try {
    if (Object.keys(subscriptions).length > SUBSCRIPTIONS_PER_SOCKET_MAX) {
      throw refused("BAD_USER_INPUT", `A socket carries up to ${SUBSCRIPTIONS_PER_SOCKET_MAX} subscriptions.`);
    }
    const { viewer, address } = peer;
    const requestId = newId();
    if (typeof payload.query === "string" && !operations.knows(payload.query)) {
      const throttled = await performer.chargeReading({ viewer, address, requestId, signal: never });
      if (throttled?.result.errors) return throttled.result.errors;
    }
    const prepared = await operations.prepare(payload, viewer);
    if (!isPrepared(prepared)) return prepared;
    if (prepared.operation.operation !== "subscription") {
      throw refused(
        "BAD_USER_INPUT",
        "WebSockets carry subscriptions; send queries and mutations by POST, at the same URL.",
      );
    }
    await operations.charge(viewer, address, prepared.cost);
    const asked: Asked = { peer, id, prepared, requestId };
    return { schema, document: prepared.document, operationName: prepared.operationName, contextValue: asked };
  } catch (error) {
    return [error instanceof GraphQLError ? error : new GraphQLError("refused", { originalError: error as Error })];
  }
}

async function subscribe({ peer, id, prepared, requestId }: Asked, fanOut: FanOut) {
  const admission = await fanOut.admit(prepared, peer.viewer, requestId);
  if (!("join" in admission)) return admission;
  return new SocketSubscription(peer, id, admission) as unknown as AsyncGenerator<ExecutionResult, void, void>;
}
