/** Decides whether a request may run: who offers the model, what it may cost at most, and whether credit for that is set aside. */
import type { Workload } from "../../schema/enums";
import { purposeOf } from "../metering/purpose";
import { DomainError } from "../platform/errors";
import type { Route } from "../routing/routing";
import type { Payer } from "./authenticate";
import { CreditHold, type CreditHoldOptions, type HeldCredit } from "./credit-hold";
import type { Allowance } from "./limits/allowance";
import type { Permit } from "./limits/permit";
import type { InferenceRequest } from "./operations/operation";
import { estimateTokens } from "./operations/request-fields";
import { operationNotServed, type ServedOperations } from "./served-operations";

export interface Admission extends HeldCredit {
  readonly requestId: string;
  readonly startupId: string;
  readonly apiKeyId: string;
  readonly model: string;
  readonly workload: Workload;
  readonly routes: readonly Route[];
  /** Per choice; always sent upstream, so that no provider writes more than is held for. */
  readonly maxTokens: number;
  readonly promptTokensEstimate: number;
  /** What it has taken of its key's limits. */
  readonly permit: Permit;
}

export interface AdmissionOptions extends CreditHoldOptions {
  readonly served: ServedOperations;
  readonly allowance: Allowance;
}

/** Errors: BAD_USER_INPUT, MODEL_NOT_FOUND, OPERATION_NOT_SERVED, CONTEXT_TOO_LONG, NO_ROUTE, RATE_LIMIT_EXCEEDED, INSUFFICIENT_CREDITS, BUDGET_EXCEEDED, DATABASE_UNAVAILABLE. */
export async function admit(
  options: AdmissionOptions,
  viewer: Payer,
  asked: InferenceRequest,
  requestId: string,
): Promise<Admission> {
  const model = asked.model;
  if (model === undefined) throw new DomainError("BAD_USER_INPUT", "`model` is required.", { field: "model" });
  const live = ({ offeringState }: Route) => offeringState === "LIVE";
  const offered = options.routing.routesOf(model) ?? [];
  const routes = offered.filter((route) => live(route) && !options.served.refuses(asked.operation, route.offeringId));
  if (routes.length === 0) {
    if (offered.some(live)) throw operationNotServed(asked.operation, model);
    throw new DomainError(
      "MODEL_NOT_FOUND",
      `The model \`${model}\` does not exist or is not offered. GET /v1/models lists what is.`,
      { field: "model" },
    );
  }
  const priced = routes.filter((route) => route.quote !== null);
  if (priced.length === 0) throw new DomainError("NO_ROUTE", `No price is fixed for \`${model}\` at the moment.`);
  const { promptTokensEstimate } = asked;
  const maxTokens = completionLimit(routes, asked, promptTokensEstimate);
  // A reroute may end at any of them: credit that is kept for some accelerators alone must not pay for others.
  const purpose = purposeOf(
    "INFERENCE",
    priced.map((route) => route.accelerator),
  );
  const entered = permitFor(options.allowance, asked, maxTokens);
  const permit = entered instanceof Promise ? await entered : entered;
  const hold = new CreditHold(options, viewer, asked, requestId, { model, routes: priced, maxTokens, purpose });
  let held: HeldCredit;
  try {
    const placed = hold.place();
    held = placed instanceof Promise ? await placed : placed;
  } catch (error) {
    permit.giveBack();
    throw error;
  }
  return {
    requestId,
    startupId: viewer.organisationId,
    apiKeyId: viewer.keyId,
    model,
    workload: purpose.workload,
    routes,
    promptTokensEstimate,
    permit,
    ...held,
  };
}

/** A promise only when the processes' common allowance must be asked. */
function permitFor(allowance: Allowance, asked: InferenceRequest, maxTokens: number): Permit | Promise<Permit> {
  const promptTokens = Math.max(asked.promptTokensEstimate, estimateTokens(asked.promptBytes));
  return allowance.enter(promptTokens + maxTokens * asked.choices, { atMost: asked.maxTokens === undefined });
}

/** What was asked for, or else what the operation writes by itself, or the most that every route can write. */
function completionLimit(routes: readonly Route[], asked: InferenceRequest, promptTokensEstimate: number): number {
  const { promptField, limitField, maxTokensDefault } = asked.operation;
  const room = (route: Route) => Math.min(route.maxOutputTokens, route.contextLength - promptTokensEstimate);
  const most = Math.max(...routes.map(room));
  const wanted = asked.maxTokens ?? Math.min(maxTokensDefault ?? 1, 1);
  if (most < wanted) {
    throw new DomainError(
      "CONTEXT_TOO_LONG",
      `About ${promptTokensEstimate} prompt tokens and ${wanted} output tokens do not fit: ${Math.max(0, most)} output tokens are possible.`,
      { field: asked.maxTokens === undefined ? promptField : limitField },
    );
  }
  const fits = Math.min(...routes.map(room).filter((tokens) => tokens >= wanted));
  return asked.maxTokens ?? Math.min(maxTokensDefault ?? fits, fits);
}
