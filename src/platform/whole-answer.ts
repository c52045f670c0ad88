/** One whole answer, also to a request whose body is still on its way: its sender reads it before the socket is closed. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";

/** What is read, and thrown away, of a body after its answer. */
export interface LingerBounds {
  readonly bytes: number;
  readonly timeMs: number;
}

/** More than what our nginx lets through (`client_max_body_size`), so that whoever comes through a proxy never meets the bound. */
const defaultBounds: LingerBounds = { bytes: 16 * 1_048_576, timeMs: 10_000 };
/** A declared rest up to this is read for the sake of the connection: a client that tries again finds it open. */
const KEPT_REST_BYTES = 65_536;

/**
 * A socket that is closed with bytes unread is reset, and a reset takes the answer with it where the peer has not read it yet:
 * a proxy then reports a failure of ours (502). So what is left of the body is read and thrown away, within bounds.
 */
export function sendWhole(
  response: ServerResponse,
  status: number,
  headers: OutgoingHttpHeaders,
  body: string,
  bounds = defaultBounds,
): void {
  const { req: request } = response;
  const whole = { ...headers, "content-length": Buffer.byteLength(body) };
  if (request.complete || keepsConnection(request, response)) {
    response.writeHead(status, whole).end(body);
    request.resume();
    return;
  }
  response.writeHead(status, { ...whole, connection: "close" });
  // Not before it is flushed: it may wait behind the answers to requests that were sent ahead of this one.
  response.write(body, (error) => (error ? response.destroy() : linger(request, bounds)));
}

function keepsConnection(request: IncomingMessage, response: ServerResponse): boolean {
  const { "content-length": length = "0", "transfer-encoding": coding } = request.headers;
  const declaredBytes = coding === undefined ? Number(length) : Number.POSITIVE_INFINITY;
  return declaredBytes <= KEPT_REST_BYTES && response.shouldKeepAlive && response.getHeader("connection") !== "close";
}

/** Node would close the socket for both directions as soon as the response is ended, so it never is. */
function linger(request: IncomingMessage, { bytes, timeMs }: LingerBounds): void {
  const { socket } = request;
  const close = () => void socket.destroy();
  const late = setTimeout(close, timeMs).unref();
  socket.once("close", () => clearTimeout(late));
  let leftBytes = bytes;
  request.on("data", (chunk: Buffer) => {
    leftBytes -= chunk.length;
    if (leftBytes < 0) close();
  });
  request.once("end", () => socket.destroySoon());
  // The end of the answer is seen at once; what the peer goes on sending is still taken.
  socket.end();
  request.resume();
}
