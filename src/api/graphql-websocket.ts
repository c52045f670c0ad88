/** GraphQL over WebSocket (graphql-transport-ws) at the API's own port: how sockets open, stay alive and end. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { CloseCode, makeServer } from "graphql-ws";
import { type WebSocket, WebSocketServer } from "ws";
import type { GraphqlDependencies } from "./graphql-http";
import { type ConnectionParams, type Peer, socketProtocol } from "./socket-protocol";

const MESSAGE_BYTES_MAX = 64 * 1024;
const PING_INTERVAL_MS = 12_000;
/** With the 5 s for which a found key is remembered: how long a key that another process revoked stays in use. */
const KEY_CHECK_INTERVAL_MS = 2_000;
/** After it the stock client connects again. */
const SERVICE_RESTART = 1012;

export interface GraphqlWebSocket {
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Asks every client to connect elsewhere; resolves when all have gone or were cut. */
  close(): Promise<void>;
  openSockets(): number;
  openSubscriptions(): number;
}

export function createGraphqlWebSocket(dependencies: GraphqlDependencies): GraphqlWebSocket {
  const { services, log } = dependencies;
  const peers = new Set<Peer>();
  const protocol = makeServer<ConnectionParams, Peer>(socketProtocol(dependencies));
  const wss = new WebSocketServer({
    noServer: true,
    maxPayload: MESSAGE_BYTES_MAX,
    perMessageDeflate: false,
    handleProtocols,
  });

  const opened = (socket: WebSocket, request: IncomingMessage) => {
    const peer: Peer = { socket, request, operations: new Map(), viewer: null, secret: null, alive: true };
    peers.add(peer);
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send: (text) => send(socket, text),
        close: (code, reason) => close(socket, code, reason),
        onMessage: (listener) =>
          socket.on("message", (message) => {
            listener(String(message)).catch((err: unknown) => {
              log.error({ err }, "WebSocket message failed");
              close(socket, CloseCode.InternalServerError, "Internal server error");
            });
          }),
      },
      peer,
    );
    socket.on("pong", () => {
      peer.alive = true;
    });
    // ws has closed the socket by itself: a frame over the limit, or a broken connection.
    socket.on("error", (err) => log.debug({ err }, "WebSocket failed"));
    socket.once("close", (code, reason) => {
      peers.delete(peer);
      for (const { gone } of peer.operations.values()) gone.abort();
      closed(code, String(reason)).catch((err: unknown) => log.error({ err }, "WebSocket clean-up failed"));
    });
  };

  const off = services.bus.on("api-key.revoked", ({ keyId }) => {
    for (const peer of peers)
      if (peer.viewer?.keyId === keyId) close(peer.socket, CloseCode.Forbidden, "API key revoked");
  });
  const pings = setInterval(() => ping(peers), PING_INTERVAL_MS).unref();
  const checks = setInterval(() => void closeDeadKeys(peers, dependencies), KEY_CHECK_INTERVAL_MS).unref();
  return {
    upgrade: (request, socket, head) =>
      wss.handleUpgrade(request, socket, head, (webSocket) => opened(webSocket, request)),
    async close() {
      off();
      clearInterval(pings);
      clearInterval(checks);
      const leaving = [...peers].map(
        ({ socket }) => new Promise<void>((resolve) => socket.once("close", () => resolve())),
      );
      for (const { socket } of peers) close(socket, SERVICE_RESTART, "Service restart");
      await Promise.all(leaving);
    },
    openSockets: () => peers.size,
    openSubscriptions: () => [...peers].reduce((sum, { operations }) => sum + operations.size, 0),
  };
}

function handleProtocols(protocols: Set<string>): string | false {
  return protocols.has("graphql-transport-ws") ? "graphql-transport-ws" : false;
}

function send(socket: WebSocket, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    if (socket.readyState !== socket.OPEN) return resolve();
    // The next event of this subscription is pulled when this frame has left: a stalled client holds one frame each.
    socket.send(text, (error) => (error ? reject(error) : resolve()));
  });
}

/** A close frame holds 123 bytes of reason, and some of graphql-ws's quote the client. */
function close(socket: WebSocket, code: number | undefined, reason = ""): void {
  socket.close(code, Buffer.from(reason).subarray(0, 120));
}

/** Whoever has not answered the ping before this one is gone. */
function ping(peers: Iterable<Peer>): void {
  for (const peer of peers) {
    if (!peer.alive) {
      peer.socket.terminate();
    } else {
      peer.alive = false;
      peer.socket.ping();
    }
  }
}

async function closeDeadKeys(peers: Iterable<Peer>, { services, log }: GraphqlDependencies): Promise<void> {
  const secrets = new Set([...peers].flatMap(({ viewer, secret }) => (viewer && secret ? [secret] : [])));
  for (const secret of secrets) {
    try {
      if ((await services.accounts.authenticate(secret)) !== null) continue;
    } catch (err) {
      log.debug({ err }, "WebSocket keys could not be checked");
      return;
    }
    for (const peer of peers) {
      if (peer.secret === secret) close(peer.socket, CloseCode.Forbidden, "API key revoked or expired");
    }
  }
}
