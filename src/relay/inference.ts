/** What every inference route does: authenticate → admit and hold → route → forward → settle, readable in a minute. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { readBody } from "../platform/http-server";
import { bodySha256 } from "../upstreams/relay-token";
import { admit } from "./admission";
import { authenticate } from "./authenticate";
import type { RelayContext } from "./context";
import { Exchange } from "./exchange";
import { Observation, operationName } from "./observation";
import type { Operation } from "./operations/operation";
import type { TurnEnd } from "./turn";

/** A hold outlives its request's last moment by this much; then the sweep may release it. */
export const HOLD_GRACE_MS = 30_000;

export async function serveInference(
  operation: Operation,
  relay: RelayContext,
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
): Promise<void> {
  const startedMs = performance.now();
  const seen = new Observation(requestId, operationName(operation.path), headerOf(request, "traceparent"), startedMs);
  const viewer = await authenticate(relay.accounts, request);
  const allowance = relay.limits.of(viewer);
  try {
    const readingMs = performance.now();
    const body = await readBody(request, relay.config.relay.bodyLimitBytes);
    seen.bodyRead(body.length, performance.now() - readingMs);
    const asked = operation.scan(body);
    const requestHash = bodySha256(body);
    const path = operation.path;
    const turn = await relay.turns.take({ request, response, viewer, requestId, path, requestHash });
    if (turn === null) return;
    const holdTtlMs = relay.config.upstream.totalTimeoutMs + HOLD_GRACE_MS;
    const { routing, metering, ledger, metrics, served, narrowings } = relay;
    const options = { routing, metering, ledger, metrics, served, narrowings, allowance, holdTtlMs };
    let end: TurnEnd = "FAILED";
    try {
      const admission = await admit(options, viewer, asked, requestId);
      const its = { request: asked, body, requestHash, admission, turn, response, startedMs, seen };
      end = await new Exchange(relay, its).run();
    } catch (error) {
      await turn.free();
      turn.fail(error);
      throw error;
    } finally {
      turn.over(end);
    }
  } catch (error) {
    allowance.headersTo(response);
    throw error;
  }
}

function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : undefined;
}
