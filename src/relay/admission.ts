/** Decides whether a request may run: who offers the model, what it may cost at most, and whether credit for that is set aside. */
import type { Workload } from "../../schema/enums";
import type { Ledger } from "../ledger/ledger";
import { affordableCompletionTokens, holdAmountNanoCredit } from "../metering/hold-amount";
import type { Authorisation, Authorised, Metering } from "../metering/metering";
import { type Purpose, purposeOf } from "../metering/purpose";
import { TEMPLATE_TOKENS_MAX } from "../metering/usage-bounds";
import { DomainError } from "../platform/errors";
import type { Quote } from "../pricing/quote";
import type { Route, Routing } from "../routing/routing";
import type { Payer } from "./authenticate";
import type { Allowance } from "./limits/allowance";
import type { Permit } from "./limits/permit";
import type { RelayMetrics } from "./metrics";
import type { InferenceRequest } from "./operations/operation";
import { estimateTokens } from "./operations/request-fields";
import { operationNotServed, type ServedOperations } from "./served-operations";

export interface Admission extends Authorised {
  readonly requestId: string;
  readonly startupId: string;
  readonly apiKeyId: string;
  readonly model: string;
  readonly workload: Workload;
  readonly routes: readonly Route[];
  readonly heldNanoCredit: bigint;
  /** Per choice; always sent upstream, so that no provider writes more than is held for. */
  readonly maxTokens: number;
  readonly promptTokensEstimate: number;
  /** What it has taken of its key's limits. */
  readonly permit: Permit;
}

export interface AdmissionOptions {
  readonly routing: Routing;
  readonly metering: Metering;
  readonly ledger: Ledger;
  readonly metrics: RelayMetrics;
  readonly served: ServedOperations;
  readonly allowance: Allowance;
  readonly holdTtlMs: number;
}

/** A wallet and two budgets may each cut a request once, and once another request be quicker. */
const HOLD_ROUNDS_MAX = 4;

/** What says how much there is instead. */
const shortages: ReadonlySet<string> = new Set(["INSUFFICIENT_CREDITS", "BUDGET_EXCEEDED"]);

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
  const quotes = priced.map((route) => route.quote!);
  if (quotes.length === 0) throw new DomainError("NO_ROUTE", `No price is fixed for \`${model}\` at the moment.`);
  const { promptTokensEstimate } = asked;
  const maxTokens = completionLimit(routes, asked, promptTokensEstimate);
  // A reroute may end at any of them: credit that is kept for some accelerators alone must not pay for others.
  const purpose = purposeOf(
    "INFERENCE",
    priced.map((route) => route.accelerator),
  );
  const entered = permitFor(options.allowance, asked, maxTokens);
  const permit = entered instanceof Promise ? await entered : entered;
  const held = await holdFor(options, viewer, asked, requestId, { quotes, maxTokens, purpose }).catch(
    (error: unknown) => {
      permit.giveBack();
      throw error;
    },
  );
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

/** Without a limit of its own a request is cut to what the balance affords instead of being refused. */
async function holdFor(
  options: AdmissionOptions,
  viewer: Payer,
  asked: InferenceRequest,
  requestId: string,
  terms: { quotes: readonly Quote[]; maxTokens: number; purpose: Purpose },
): Promise<Authorised & { heldNanoCredit: bigint; maxTokens: number }> {
  // Every token of a byte-level tokenizer covers at least one byte: bytes are a true upper bound.
  const promptTokens = asked.promptBytes + TEMPLATE_TOKENS_MAX;
  const hold = async (maxTokens: number) => {
    const heldNanoCredit = holdAmountNanoCredit(terms.quotes, {
      promptTokens,
      completionTokens: maxTokens * asked.choices,
    });
    const { leaseId } = await timed(options, {
      requestId,
      startupId: viewer.organisationId,
      apiKeyId: viewer.keyId,
      amountNanoCredit: heldNanoCredit,
      rateCardId: terms.quotes[0]!.card.id,
      ttlMs: options.holdTtlMs,
      purpose: terms.purpose,
    });
    return { leaseId, heldNanoCredit, maxTokens };
  };
  let maxTokens = terms.maxTokens;
  for (let round = 1; ; round++) {
    try {
      return await hold(maxTokens);
    } catch (error) {
      if (!(error instanceof DomainError) || !shortages.has(error.code)) throw error;
      const available = error.details?.availableNanoCredit as bigint;
      const affordable = Math.floor(
        affordableCompletionTokens(terms.quotes, promptTokens, available, terms.maxTokens * asked.choices) /
          asked.choices,
      );
      // What was available may be another request's by the next look: more than one round, but not for ever.
      if (asked.maxTokens !== undefined || affordable < 1 || round === HOLD_ROUNDS_MAX)
        throw await tooLittle(options.ledger, viewer, error, {
          affordable,
          maxTokens: terms.maxTokens,
          limitField: asked.operation.limitField,
        });
      maxTokens = affordable;
    }
  }
}

async function timed({ metering, metrics }: AdmissionOptions, request: Authorisation): Promise<Authorised> {
  const beganMs = performance.now();
  const authorised = await metering.authorise(request);
  metrics.holds.inc({ source: authorised.leaseId === null ? "ledger" : "lease" });
  metrics.holdSeconds.observe((performance.now() - beganMs) / 1_000);
  return authorised;
}

/** With all that the wallet or the budget says: what is held by other requests comes back, what is spent does not. */
async function tooLittle(
  ledger: Ledger,
  viewer: Payer,
  error: DomainError,
  {
    affordable: affordableTokens,
    maxTokens,
    limitField,
  }: { affordable: number; maxTokens: number; limitField: string },
): Promise<DomainError> {
  if (error.code === "BUDGET_EXCEEDED") {
    const more =
      affordableTokens >= 1 ? ` It covers ${affordableTokens} output tokens of the ${maxTokens} asked for.` : "";
    return new DomainError(error.code, error.message + more, { details: { ...error.details, affordableTokens } });
  }
  const { heldNanoCredit, spentNanoCredit } = await ledger.balance(viewer.organisationId);
  return new DomainError(
    "INSUFFICIENT_CREDITS",
    affordableTokens >= 1
      ? `The credit that is left covers ${affordableTokens} output tokens of the ${maxTokens} asked for. Lower ${limitField} or add credit.`
      : "The credit that is left does not cover this prompt. Add credit.",
    { details: { ...error.details, heldNanoCredit, spentNanoCredit, affordableTokens } },
  );
}
