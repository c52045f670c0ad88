/** The client that talks to providers: mTLS pools kept apart by provider and startup, a relay token on each attempt. */
import type { IncomingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import { createSecureContext, type TLSSocket } from "node:tls";
import { LRUCache } from "lru-cache";
import { buildConnector, type Dispatcher, errors, Pool } from "undici";
import { assertRemoteAddress, checkUpstreamUrl, type EgressPolicy, guardedLookup } from "./egress-guard";
import { bodySha256, RELAY_TOKEN_HEADER, type RelayTokenSigner } from "./relay-token";

export interface UpstreamEndpoint {
  readonly id: string;
  readonly baseUrl: string;
  readonly caPem: string;
}

/** The platform's own identity towards providers. */
export interface ClientIdentity {
  readonly certPem: string;
  readonly keyPem: string;
}

export interface UpstreamAttempt {
  readonly endpoint: UpstreamEndpoint;
  /** Whose request it is; the socket is never shared with another startup's. */
  readonly startupId: string;
  readonly requestId: string;
  readonly attempt: number;
  readonly method: "GET" | "POST" | "DELETE";
  /** Below the base URL, e.g. `/v1/chat/completions`. */
  readonly path: string;
  readonly body: Buffer | null;
  /** `bodySha256` of the body, where somebody has hashed it already. */
  readonly bodySha256?: string;
  readonly accept: string;
  /** Of the body; JSON when left out. */
  readonly contentType?: string;
  /** By which the provider knows a repeat of what makes something. */
  readonly idempotencyKey?: string;
}

export interface UpstreamHandler {
  onStart(exchange: UpstreamExchange, status: number, headers: IncomingHttpHeaders): void;
  onBytes(chunk: Buffer): void;
  onEnd(): void;
  /** Also when the attempt could not even start, and after `abort`. Called at most once, and not after `onEnd`. */
  onError(error: Error): void;
}

export interface UpstreamExchange {
  pause(): void;
  resume(): void;
  /** Closes the provider's socket at once. */
  abort(reason: Error): void;
}

export interface UpstreamOptions {
  readonly identity: ClientIdentity;
  readonly signer: RelayTokenSigner;
  readonly policy: EgressPolicy;
  readonly connectTimeoutMs: number;
}

/** Each pool keeps at least one TLS socket warm: an upper bound on idle sockets and file descriptors. */
const POOLS_MAX = 2_000;
/** A stream takes one for as long as it lasts; what does not get one waits inside the pool, and the provider is blamed for it. */
const SOCKETS_PER_POOL_MAX = 2_048;
/**
 * A handshake takes some 4 ms of our one thread. A burst of 64 on a cold pool was measured to outlast the connect timeout,
 * which then blamed the provider for our own queue.
 */
const HANDSHAKES_PER_POOL_MAX = 16;
const KEEP_ALIVE_MS = 30_000;
const nothing = Buffer.alloc(0);

export class Upstreams {
  private readonly pools: LRUCache<string, Pool>;

  constructor(private readonly options: UpstreamOptions) {
    this.pools = new LRUCache<string, Pool>({
      max: POOLS_MAX,
      // A pool that falls out finishes what it has in flight.
      dispose: (pool) => void pool.close().catch(() => undefined),
    });
  }

  /**
   * Starts one attempt; everything that follows comes through `handler`, errors of the start included, never before this
   * returns. Returns how to cancel it, which works before it started, too.
   */
  dispatch(attempt: UpstreamAttempt, handler: UpstreamHandler): { cancel(reason: Error): void } {
    let controller: Dispatcher.DispatchController | null = null;
    let cancelled: Error | null = null;
    try {
      this.poolFor(attempt.endpoint, attempt.startupId).dispatch(
        { method: attempt.method, path: attempt.path, headers: this.headers(attempt), body: attempt.body },
        {
          onRequestStart(started) {
            controller = started;
            if (cancelled !== null) started.abort(cancelled);
          },
          onResponseStart(started, status, headers) {
            // Interim answers (103) are not the answer.
            if (status >= 200) handler.onStart(started, status, headers);
          },
          onResponseData(_, chunk) {
            handler.onBytes(chunk);
          },
          onResponseEnd() {
            handler.onEnd();
          },
          onResponseError(_, error) {
            queueMicrotask(() => handler.onError(error));
          },
        },
      );
    } catch (error) {
      queueMicrotask(() => handler.onError(error as Error));
    }
    return {
      cancel(reason) {
        cancelled = reason;
        controller?.abort(reason);
      },
    };
  }

  /** One small request whose whole answer matters, such as a probe. Errors: those of the socket, and a timeout. */
  async fetch(
    attempt: UpstreamAttempt,
    timeoutMs: number,
    bytesMax = 1_048_576,
  ): Promise<{ status: number; body: Buffer }> {
    return new Promise((resolve, reject) => {
      let status = 0;
      let bytes = 0;
      const chunks: Buffer[] = [];
      const sent = this.dispatch(attempt, {
        onStart(_, code) {
          status = code;
        },
        onBytes(chunk) {
          bytes += chunk.length;
          if (bytes > bytesMax) return sent.cancel(new Error(`the answer is larger than ${bytesMax} bytes`));
          chunks.push(chunk);
        },
        onEnd() {
          clearTimeout(timer);
          resolve({ status, body: Buffer.concat(chunks) });
        },
        onError(error) {
          clearTimeout(timer);
          reject(error);
        },
      });
      const timer = setTimeout(() => sent.cancel(new Error(`no whole answer within ${timeoutMs} ms`)), timeoutMs);
    });
  }

  async close(): Promise<void> {
    const pools = [...this.pools.values()];
    await Promise.allSettled(pools.map((pool) => pool.destroy()));
    this.pools.clear();
  }

  private headers(attempt: UpstreamAttempt): Record<string, string> {
    const token = this.options.signer.sign({
      audience: attempt.endpoint.id,
      requestId: attempt.requestId,
      attempt: attempt.attempt,
      bodySha256: attempt.bodySha256 ?? bodySha256(attempt.body ?? nothing),
    });
    // An allow-list of our own making: nothing that the client sent is copied.
    return {
      [RELAY_TOKEN_HEADER]: token,
      "x-request-id": attempt.requestId,
      accept: attempt.accept,
      "accept-encoding": "identity",
      "user-agent": "exergy-relay",
      ...(attempt.body === null ? {} : { "content-type": attempt.contentType ?? "application/json" }),
      ...(attempt.idempotencyKey === undefined ? {} : { "idempotency-key": attempt.idempotencyKey }),
    };
  }

  /**
   * HTTP/1.1 answers carry no ids: an unsolicited answer on a kept-alive socket was measured to reach the next request
   * of another client. So a socket belongs to one provider and one startup.
   */
  private poolFor(endpoint: UpstreamEndpoint, startupId: string): Pool {
    const key = `${endpoint.id}|${startupId}|${endpoint.baseUrl}`;
    const known = this.pools.get(key);
    if (known !== undefined) return known;
    // Again, not only at registration: the policy may have become stricter since.
    const url = checkUpstreamUrl(endpoint.baseUrl, this.options.policy);
    const pool = new Pool(url.origin, {
      connect: atMost(HANDSHAKES_PER_POOL_MAX, this.connector(endpoint)),
      connections: SOCKETS_PER_POOL_MAX,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: 16_384,
      // The relay's own timers decide; they know first byte, idle and total apart.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    this.pools.set(key, pool);
    return pool;
  }

  /** Mutual TLS to one endpoint, to an address that the policy allows. */
  private connector({ caPem }: UpstreamEndpoint): buildConnector.connector {
    const { identity, policy, connectTimeoutMs } = this.options;
    const connect = buildConnector({
      // Parsed once: per connection it was a third of a handshake's time.
      secureContext: createSecureContext({
        ca: caPem,
        cert: identity.certPem,
        key: identity.keyPem,
        minVersion: "TLSv1.2",
      }),
      lookup: guardedLookup(policy),
      // Undici's own timer is up to half a second late, which is as much as the wait for the first byte may be.
      timeout: 0,
      noDelay: true,
      keepAlive: true,
    } as buildConnector.BuildOptions) as (...args: Parameters<buildConnector.connector>) => TLSSocket;
    return (options, callback) => {
      const late = setTimeout(
        () => connecting.destroy(new errors.ConnectTimeoutError(`no connection within ${connectTimeoutMs} ms`)),
        connectTimeoutMs,
      );
      const connecting = connect(options, (error, socket) => {
        clearTimeout(late);
        if (error !== null) return callback(error, null);
        try {
          assertRemoteAddress(socket as TLSSocket, policy);
        } catch (refused) {
          socket.destroy();
          return callback(refused as Error, null);
        }
        callback(null, keepingNobodyUp(socket));
      });
    };
  }
}

/**
 * undici takes a socket off the event loop's count when it idles and puts it back for the next request, which through TLS
 * costs 4 µs. Ours never count: the server that the request came through keeps the process up.
 */
function keepingNobodyUp<Kind extends Socket>(socket: Kind): Kind {
  socket.unref();
  socket.ref = () => socket;
  socket.unref = () => socket;
  return socket;
}

/** Lets `max` connects run at once; the others wait their turn, and their timeout begins with it. */
function atMost(max: number, connect: buildConnector.connector): buildConnector.connector {
  const waiting: (() => void)[] = [];
  let running = 0;
  return (options, callback) => {
    const start = () => {
      running += 1;
      connect(options, (...result) => {
        running -= 1;
        waiting.shift()?.();
        callback(...result);
      });
    };
    if (running < max) start();
    else waiting.push(start);
  };
}
