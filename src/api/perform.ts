/** One query or mutation over HTTP: prepared, charged, executed as its viewer, and the price settled by what came. */
import { type ExecutionResult, GraphQLError } from "graphql";
import type { Viewer } from "../accounts/viewer";
import { DomainError, errorTable } from "../platform/errors";
import type { Log } from "../platform/log";
import type { Allowance } from "../platform/rate-limiter";
import type { Services } from "../services";
import type { Context } from "./context";
import { createLoaders } from "./loaders";
import { onBehalfOf } from "./on-behalf-of";
import { isPrepared, type OperationRequest, type Operations, type Prepared, refused } from "./operations";

/** Who calls, and what is known of it beside the document. */
export interface Call {
  readonly viewer: Viewer | null;
  readonly address: string;
  readonly requestId: string;
  readonly signal: AbortSignal;
}

/** Shopify's shape. */
export interface Cost {
  readonly requestedQueryCost: number;
  readonly actualQueryCost: number;
  readonly throttleStatus: {
    readonly maximumAvailable: number;
    readonly currentlyAvailable: number;
    /** Points a second, on average over the window. */
    readonly restoreRate: number;
  };
}

export interface Performed {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Errors as they were thrown, not as they are shown. */
  readonly result: ExecutionResult;
  readonly cost: Cost;
}

interface Spent {
  readonly requested: number;
  readonly actual: number;
  readonly allowance: Allowance;
}

export interface Performer {
  perform(request: OperationRequest, call: Call): Promise<Performed>;
  /** Charges for reading a document that nobody has read yet. Null: it may be read; else the answer. */
  chargeReading(call: Call): Promise<Performed | null>;
  /** What an answer says of cost when its document was refused. */
  unspent(call: Call): Promise<Pick<Performed, "headers" | "cost">>;
}

/** Parsing, validating and compiling a text takes about as long as reading some objects. */
const READING_COST = 10;

export function createPerformer(operations: Operations, services: Services): Performer {
  const settle = (call: Call, result: ExecutionResult, { requested, actual, allowance }: Spent): Performed => ({
    status: statusOf(result),
    headers: headersOf(allowance, result),
    result,
    cost: {
      requestedQueryCost: requested,
      actualQueryCost: actual,
      throttleStatus: {
        maximumAvailable: allowance.limit,
        currentlyAvailable: allowance.remaining,
        restoreRate: operations.restoreRate(call.viewer),
      },
    },
  });
  const take = async (call: Call, cost: number): Promise<Allowance | Performed> => {
    try {
      return await operations.charge(call.viewer, call.address, cost);
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== "THROTTLED") throw error;
      const allowance = error.details?.allowance as Allowance;
      return settle(call, { errors: [asGraphQLError(error)] }, { requested: cost, actual: 0, allowance });
    }
  };
  const refuse = async (call: Call, errors: readonly GraphQLError[]): Promise<Performed> => {
    const allowance = await take(call, 0);
    return "result" in allowance ? allowance : settle(call, { errors }, { requested: 0, actual: 0, allowance });
  };
  const run = async (prepared: Prepared, call: Call): Promise<Performed> => {
    const allowance = await take(call, prepared.cost);
    if ("result" in allowance) return allowance;
    const { viewer, requestId, signal } = call;
    const loaders = createLoaders(services);
    const charge = { cost: prepared.cost, allowance };
    const context: Context = { viewer, loaders, services, requestId, signal, charge };
    const reads = prepared.operation.operation === "query" ? "replica" : "primary";
    const result = await onBehalfOf(viewer, requestId, reads, () => prepared.execute(undefined, context));
    // What broke off has cost what it was to cost.
    const actual = result.data ? prepared.actualCost(result.data) : prepared.cost;
    const back = prepared.cost - actual;
    operations.refund(viewer, call.address, back);
    const remaining = Math.min(allowance.limit, Math.max(0, allowance.remaining + back));
    const spent = { requested: prepared.cost, actual, allowance: { ...allowance, remaining } };
    return settle(call, result, spent);
  };
  return {
    async perform(request, call) {
      const prepared = await operations.prepare(request, call.viewer);
      if (!isPrepared(prepared)) return refuse(call, prepared);
      if (prepared.operation.operation !== "subscription") return run(prepared, call);
      return refuse(call, [
        refused(
          "BAD_USER_INPUT",
          "Subscriptions go over WebSocket (graphql-transport-ws) or server-sent events, at the same URL.",
        ),
      ]);
    },
    async chargeReading(call) {
      const allowance = await take(call, READING_COST);
      return "result" in allowance ? allowance : null;
    },
    unspent: (call) => refuse(call, []),
  };
}

export const faultLogger =
  (log: Log, { requestId, viewer }: Call) =>
  (err: unknown, error: unknown): void =>
    log.error(
      { err, requestId, path: (error as { path?: unknown }).path, keyId: viewer?.keyId },
      "GraphQL request failed",
    );

const asGraphQLError = (error: DomainError) => new GraphQLError(error.message, { originalError: error });

/** Codes whose meaning is one of the whole answer. */
const ofTheAnswer: ReadonlySet<unknown> = new Set(["THROTTLED", "TIMEOUT", "PERSISTED_DOCUMENT_REQUIRED"]);

/** As Apollo Server has it: 400 for what was not executed; whatever was executed is 200, with errors or without. */
function statusOf({ data, errors }: ExecutionResult): number {
  if (!errors) return 200;
  for (const { originalError } of errors) {
    if (originalError instanceof DomainError && ofTheAnswer.has(originalError.code)) return originalError.status;
  }
  return data === undefined ? 400 : 200;
}

function headersOf({ limit, remaining, resetMs }: Allowance, { errors }: ExecutionResult): Record<string, string> {
  const reset = String(Math.max(1, Math.ceil(resetMs / 1_000)));
  const headers: Record<string, string> = {
    "ratelimit-limit": String(limit),
    "ratelimit-remaining": String(remaining),
    "ratelimit-reset": reset,
  };
  const throttled = errors?.some(
    ({ originalError }) => originalError instanceof DomainError && originalError.status === errorTable.THROTTLED.status,
  );
  if (throttled) headers["retry-after"] = reset;
  return headers;
}
