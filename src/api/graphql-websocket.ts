/** GraphQL over WebSocket (graphql-transport-ws) at the API's own port: how sockets open, stay alive and end. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { CloseCode, makeServer } from "graphql-ws";
import { type WebSocket, WebSocketServer } from "ws";
import { addressOf } from "./address";
import { credentialsOf } from "./authentication";
import { leaveInTurns } from "./leave-in-turns";
import { type ConnectionParams, type LiveDependencies, type Peer, socketProtocol } from "./socket-protocol";

const MESSAGE_BYTES_MAX = 64 * 1024;
const PING_INTERVAL_MS = 12_000;
/** After it the stock client connects again. */
const SERVICE_RESTART = 1012;

export interface GraphqlWebSocket {
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Asks every client to connect elsewhere, some now and some later within the window; resolves when all have gone. */
  close(windowMs: number): Promise<void>;
  openSockets(): number;
  openSubscriptions(): number;
}

export function createGraphqlWebSocket(dependencies: LiveDependencies): GraphqlWebSocket {
  const { config, log, viewers } = dependencies;
  const peers = new Set<Peer>();
  const protocol = makeServer<ConnectionParams, Peer>(socketProtocol(dependencies));
  const wss = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: MESSAGE_BYTES_MAX,
    perMessageDeflate: false,
    handleProtocols,
  });

  const opened = (socket: WebSocket, peer: Peer) => {
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
      viewers.leave(peer);
      closed(code, String(reason)).catch((err: unknown) => log.error({ err }, "WebSocket clean-up failed"));
    });
  };

  const pings = setInterval(() => ping(peers), PING_INTERVAL_MS).unref();
  return {
    upgrade: (request, raw, head) =>
      wss.handleUpgrade(request, raw, head, (socket) =>
        opened(socket, newPeer(socket, raw, request, addressOf(request, config.trustedProxies))),
      ),
    async close(windowMs) {
      const gone = [...peers].map(
        ({ socket }) => new Promise<void>((resolve) => socket.once("close", () => resolve())),
      );
      await leaveInTurns([...peers], windowMs, ({ socket }) => close(socket, SERVICE_RESTART, "Service restart"));
      await Promise.all(gone);
      clearInterval(pings);
    },
    openSockets: () => peers.size,
    openSubscriptions: () => [...peers].reduce((sum, { subscriptions }) => sum + subscriptions, 0),
  };
}

function newPeer(socket: WebSocket, raw: Duplex, request: IncomingMessage, address: string): Peer {
  return {
    socket,
    raw,
    address,
    credentials: credentialsOf(request),
    viewer: null,
    alive: true,
    subscriptions: 0,
    waiting: 0,
    dismiss: (reason) => close(socket, CloseCode.Forbidden, reason),
  };
}

function handleProtocols(protocols: Set<string>): string | false {
  return protocols.has("graphql-transport-ws") ? "graphql-transport-ws" : false;
}

function send(socket: WebSocket, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    if (socket.readyState !== socket.OPEN) return resolve();
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
