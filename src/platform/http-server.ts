/** What every HTTP server of ours shares: timeouts, a start that explains itself, bodies with a limit, an end within a grace. */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerOptions } from "node:http";
import type { Server as HttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { ambiguityOf } from "./ambiguous-request";
import { DomainError } from "./errors";

type AnyServer = Server | HttpsServer;

/** To be spread into the options of any http or https server. */
export const serverTimeouts = {
  headersTimeout: 10_000,
  /** From the first byte of a request to the last byte of its body. */
  requestTimeout: 30_000,
  /** Above the 60 s for which load balancers keep a connection: the side that closes first must not be ours. */
  keepAliveTimeout: 65_000,
  /** Node looks at the timeouts above only this often; its default of 30 s would triple them. */
  connectionsCheckingInterval: 1_000,
} satisfies ServerOptions;

export class PortUnavailable extends Error {
  override readonly name = "PortUnavailable";
  readonly code = "PORT_UNAVAILABLE";

  constructor(
    message: string,
    readonly port: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export class BodyTooLarge extends DomainError {
  constructor(readonly limitBytes: number) {
    super("BODY_TOO_LARGE", `the request body is larger than ${limitBytes} bytes`);
  }
}

export class BodyAborted extends Error {
  override readonly name = "BodyAborted";
  readonly code = "BODY_ABORTED";
}

/** `listener` gets what can be read in one way only; whoever takes upgrades asks `ambiguityOf` itself. */
export function createHttpServer(listener: RequestListener, options: ServerOptions = {}): Server {
  return createServer({ ...serverTimeouts, noDelay: true, ...options }, (request, response) => {
    const ambiguity = ambiguityOf(request);
    // Nobody took the upgrade that it asks for: then Node loses what came in the same packet behind it.
    if (request.headers.upgrade !== undefined) response.shouldKeepAlive = false;
    if (ambiguity === null) return listener(request, response);
    // What follows on the connection may be no request at all.
    response.writeHead(ambiguity.status, { "content-type": "text/plain", connection: "close" });
    response.end(`This request can be read in more than one way: ${ambiguity.reason}.\n`);
  });
}

/** Sockets by server, because Node forgets one when it is upgraded to a WebSocket. */
const socketsOf = new WeakMap<AnyServer, Set<Socket>>();

/**
 * Resolves with the port that was bound (port 0 asks for any). `setting` is the variable that the error message names.
 * Errors: PortUnavailable.
 */
export function listen(server: AnyServer, port: number, host: string, setting = "PORT"): Promise<number> {
  const sockets = new Set<Socket>();
  socketsOf.set(server, sockets);
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) => reject(portUnavailable(error, port, host, setting));
    server.once("error", refuse);
    server.listen({ port, host }, () => {
      server.off("error", refuse);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function portUnavailable(error: NodeJS.ErrnoException, port: number, host: string, setting: string): Error {
  const reasons: Record<string, string> = {
    EADDRINUSE: `port ${port} is in use: set ${setting} to a free one, or stop what listens there`,
    EACCES: `port ${port} needs more rights than this user has: set ${setting} to one above 1023`,
    EADDRNOTAVAIL: `this machine has no address ${host} to listen on`,
  };
  const reason = reasons[error.code ?? ""];
  return reason ? new PortUnavailable(reason, port, { cause: error }) : error;
}

/**
 * The whole body. Beyond `limitBytes` reading stops at once; `sendWhole` answers so that the sender sees it.
 * Errors: BodyTooLarge; BodyAborted when the client left before the end.
 */
export function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  if (Number(request.headers["content-length"] ?? 0) > limitBytes) return Promise.reject(new BodyTooLarge(limitBytes));
  return new Promise((resolve, reject) => {
    if (request.destroyed) return reject(aborted());
    const chunks: Buffer[] = [];
    let receivedBytes = 0;
    const onChunk = (chunk: Buffer) => {
      receivedBytes += chunk.length;
      chunks.push(chunk);
      if (receivedBytes <= limitBytes) return;
      forget();
      request.pause();
      reject(new BodyTooLarge(limitBytes));
    };
    const onEnd = () => {
      forget();
      resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, receivedBytes));
    };
    const onLeave = () => {
      forget();
      reject(aborted());
    };
    const forget = () => {
      request.off("data", onChunk).off("end", onEnd).off("error", onLeave).off("close", onLeave);
    };
    request.on("data", onChunk).on("end", onEnd).on("error", onLeave).on("close", onLeave);
  });
}

function aborted(): BodyAborted {
  return new BodyAborted("the client left before the end of its request body");
}

/** How often sockets that went idle after the close began are looked for. */
const idleSweepMs = 20;

/**
 * Accepts nothing new, closes idle sockets, lets requests in flight finish within the grace, then destroys what is left.
 * Resolves with the number of sockets that had to be destroyed. A server that never listened is closed already.
 */
export async function closeGracefully(server: AnyServer, graceMs: number): Promise<number> {
  let destroyed = 0;
  // On a kept-alive connection a client may still send: it is answered, and told that this was the last one.
  server.prependListener("request", (_request, response) => void response.setHeader("connection", "close"));
  const sweep = setInterval(() => server.closeIdleConnections(), idleSweepMs);
  const grace = setTimeout(() => {
    for (const socket of socketsOf.get(server) ?? []) {
      destroyed += 1;
      socket.destroy();
    }
    server.closeAllConnections();
  }, graceMs);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  clearInterval(sweep);
  clearTimeout(grace);
  return destroyed;
}
