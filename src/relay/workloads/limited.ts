/** Requests about files and jobs count as any other: one of the minute of their key and its organisation, and a slot while they run. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { BodyAborted } from "../../platform/http-server";
import { authenticate, type Payer } from "../authenticate";
import type { RelayContext } from "../context";
import type { Permit } from "../limits/permit";
import type { Route } from "../routes";

export interface LimitedRequest {
  readonly viewer: Payer;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
}

export type LimitedRoute = (relay: RelayContext, asked: LimitedRequest, params: readonly string[]) => Promise<void>;

/** They have no tokens of their own: what a job's work comes to is bounded by its hold. */
const TOKENS = 0;

export function limited(serve: LimitedRoute): Route {
  return async (relay, request, response, requestId, params) => {
    const viewer = await authenticate(relay.accounts, request);
    const allowance = relay.limits.of(viewer);
    let permit: Permit | null = null;
    try {
      permit = await allowance.enter(TOKENS, { atMost: true });
      allowance.headersTo(response);
      await serve(relay, { viewer, request, response, requestId }, params);
      permit.settle(TOKENS);
    } catch (error) {
      if (error instanceof BodyAborted) permit?.abandon();
      else permit?.giveBack();
      allowance.headersTo(response);
      throw error;
    }
  };
}
