/** Sets a request's credit aside: for all that may serve it, or else for those whose accelerators its credit is kept for. */
import type { Ledger } from "../ledger/ledger";
import { affordableCompletionTokens, holdAmountNanoCredit } from "../metering/hold-amount";
import type { Authorised, Metering } from "../metering/metering";
import { creditFor, narrowerPurposes } from "../metering/narrower-purposes";
import type { Purpose } from "../metering/purpose";
import { TEMPLATE_TOKENS_MAX } from "../metering/usage-bounds";
import { DomainError } from "../platform/errors";
import type { Quote } from "../pricing/quote";
import type { Route, Routing } from "../routing/routing";
import type { Payer } from "./authenticate";
import type { RelayMetrics } from "./metrics";
import type { Narrowings, PaidPurpose } from "./narrowings";
import type { InferenceRequest } from "./operations/operation";

export interface CreditHoldOptions {
  readonly routing: Routing;
  readonly metering: Metering;
  readonly ledger: Ledger;
  readonly metrics: RelayMetrics;
  readonly narrowings: Narrowings;
  readonly holdTtlMs: number;
}

export interface HeldCredit extends Authorised {
  readonly heldNanoCredit: bigint;
  /** Per choice; what the credit covers of it where the request names no limit. */
  readonly maxTokens: number;
  /** It pays for an answer by these alone; null: by all that were asked for. */
  readonly paidAccelerators: readonly string[] | null;
}

export interface CreditTerms {
  readonly model: string;
  /** All with a price, whatever their state. */
  readonly routes: readonly Route[];
  readonly purpose: Purpose;
  readonly maxTokens: number;
}

/** Where the request may end, and at what prices. */
interface Scope {
  readonly purpose: Purpose;
  readonly quotes: readonly Quote[];
}

interface Shortage {
  readonly error: DomainError;
  readonly scope: Scope;
}

/** A wallet and two budgets may each cut a request once, and once another request be quicker. */
const HOLD_ROUNDS_MAX = 4;

/** What says how much there is instead. */
const shortages: ReadonlySet<string> = new Set(["INSUFFICIENT_CREDITS", "BUDGET_EXCEEDED"]);

export class CreditHold {
  private readonly whole: Scope;
  /** Every token of a byte-level tokenizer covers at least one byte: bytes are a true upper bound. */
  private readonly promptTokens: number;

  constructor(
    private readonly its: CreditHoldOptions,
    private readonly viewer: Payer,
    private readonly asked: InferenceRequest,
    private readonly requestId: string,
    private readonly terms: CreditTerms,
  ) {
    this.whole = { purpose: terms.purpose, quotes: terms.routes.map((route) => route.quote!) };
    this.promptTokens = asked.promptBytes + TEMPLATE_TOKENS_MAX;
  }

  /**
   * Without a limit of its own a request is cut to what the balance affords instead of being refused. A promise only when the
   * ledger must be asked.
   * Errors: INSUFFICIENT_CREDITS, BUDGET_EXCEEDED, DATABASE_UNAVAILABLE, OVERLOADED.
   */
  place(): HeldCredit | Promise<HeldCredit> {
    const placed = this.placeFor(this.terms.maxTokens);
    return placed instanceof Promise ? this.orLess(placed) : placed;
  }

  private async orLess(first: Promise<HeldCredit | Shortage>): Promise<HeldCredit> {
    let placed = await first;
    for (let round = 1; "error" in placed; round++) {
      const available = placed.error.details?.availableNanoCredit as bigint;
      const affordable = this.affordableTokens(placed.scope, available, this.terms.maxTokens);
      // What was available may be another request's by the next look: more than one round, but not for ever.
      if (this.asked.maxTokens !== undefined || affordable < 1 || round === HOLD_ROUNDS_MAX)
        throw await this.tooLittle(placed.error, affordable);
      placed = await this.placeFor(affordable);
    }
    return placed;
  }

  private placeFor(maxTokens: number): HeldCredit | Promise<HeldCredit | Shortage> {
    const { its, whole, viewer } = this;
    const { purpose } = whole;
    if (purpose.accelerators.length === 1) return this.attempt(whole, maxTokens);
    const known = its.narrowings.of(viewer.organisationId, purpose, this.amount(whole, maxTokens));
    if (known !== null) return this.placeAsBefore(known, maxTokens);
    const first = this.attempt(whole, maxTokens, true);
    return first instanceof Promise ? this.orNarrower(first, maxTokens) : first;
  }

  private async placeAsBefore(known: readonly PaidPurpose[], maxTokens: number): Promise<HeldCredit | Shortage> {
    const placed = await this.placeNarrower(known, maxTokens);
    if (placed !== null) return placed;
    this.its.narrowings.forget(this.viewer.organisationId, this.whole.purpose);
    return this.orNarrower(this.attempt(this.whole, maxTokens, true), maxTokens);
  }

  private async orNarrower(
    asked: HeldCredit | Promise<HeldCredit | Shortage>,
    maxTokens: number,
  ): Promise<HeldCredit | Shortage> {
    const first = await asked;
    if (!("error" in first)) return first;
    const { its, whole } = this;
    const { purpose } = whole;
    const startupId = this.viewer.organisationId;
    const kept = await its.metering.keptCredit(startupId, purpose.workload);
    const all = paid(purpose, creditFor(purpose, kept));
    const isOverBudget = first.error.code === "BUDGET_EXCEEDED";
    // A budget that does not cover what no credit pays for may still cover what some does.
    if (isOverBudget && all.creditNanoCredit >= this.amount(whole, maxTokens)) return first;
    const narrower = narrowerPurposes(purpose, kept).map((one) => paid(one, creditFor(one, kept)));
    if (narrower.length === 0) {
      const hasToldAll = isOverBudget || all.creditNanoCredit === first.error.details?.availableNanoCredit;
      return hasToldAll ? first : this.attempt(whole, maxTokens);
    }
    its.narrowings.learn(startupId, purpose, all.creditNanoCredit, narrower);
    // The last word is had where most is left, with all that is lent called back.
    return (await this.placeNarrower(narrower, maxTokens)) ?? this.attempt(this.richest([all, ...narrower]), maxTokens);
  }

  /** Where the router would go first among all that the credit may pay for; null: it pays for none of these. */
  private async placeNarrower(purposes: readonly PaidPurpose[], maxTokens: number): Promise<HeldCredit | null> {
    let left = purposes
      .map((one) => ({ ...one, scope: this.scopeOf(one.purpose) }))
      .filter(({ scope, creditNanoCredit }) => this.amount(scope, maxTokens) <= creditNanoCredit)
      .map(({ scope }) => scope);
    for (;;) {
      const next = this.preferred(left, maxTokens);
      if (next === null) return null;
      const placed = await this.attempt(next, maxTokens, true);
      if (!("error" in placed)) return placed;
      left = left.filter((scope) => scope !== next);
    }
  }

  /** Of those in which the router's choice lies, the first: it is the widest. */
  private preferred(scopes: readonly Scope[], maxTokens: number): Scope | null {
    if (scopes.length === 0) return null;
    const { model, routes } = this.terms;
    const { promptTokensEstimate } = this.asked;
    const route = this.its.routing.preferred(routes, {
      model,
      promptTokensEstimate,
      maxTokens,
      accelerators: scopes.flatMap(({ purpose }) => purpose.accelerators),
      excludeEndpointIds: new Set(),
    });
    if (route === null) return null;
    return scopes.find(({ purpose }) => purpose.accelerators.includes(route.accelerator)) ?? null;
  }

  private attempt(
    scope: Scope,
    maxTokens: number,
    hasAlternative = false,
  ): HeldCredit | Promise<HeldCredit | Shortage> {
    const { its, whole, viewer, requestId } = this;
    const { metering, metrics } = its;
    const heldNanoCredit = this.amount(scope, maxTokens);
    const beganMs = performance.now();
    const heldBy = ({ leaseId }: Authorised): HeldCredit => {
      metrics.holds.inc({ source: leaseId === null ? "ledger" : "lease" });
      metrics.holdSeconds.observe((performance.now() - beganMs) / 1_000);
      const paidAccelerators = scope === whole ? null : scope.purpose.accelerators;
      return { leaseId, heldNanoCredit, maxTokens, paidAccelerators };
    };
    const authorised = metering.authorise({
      requestId,
      startupId: viewer.organisationId,
      apiKeyId: viewer.keyId,
      amountNanoCredit: heldNanoCredit,
      rateCardId: scope.quotes[0]!.card.id,
      ttlMs: its.holdTtlMs,
      purpose: scope.purpose,
      hasAlternative,
    });
    if (!(authorised instanceof Promise)) return heldBy(authorised);
    return authorised.then(heldBy, (error: unknown) => {
      if (!(error instanceof DomainError) || !shortages.has(error.code)) throw error;
      return { error, scope };
    });
  }

  private scopeOf(purpose: Purpose): Scope {
    const routes = this.terms.routes.filter(({ accelerator }) => purpose.accelerators.includes(accelerator));
    return { purpose, quotes: routes.map((route) => route.quote!) };
  }

  /** The whole stays the whole where nothing narrower affords more. */
  private richest([all, ...narrower]: readonly PaidPurpose[]): Scope {
    const tokens = (scope: Scope, { creditNanoCredit }: PaidPurpose) =>
      this.affordableTokens(scope, creditNanoCredit, this.terms.maxTokens);
    let [best, most] = [this.whole, tokens(this.whole, all!)];
    for (const one of narrower) {
      const scope = this.scopeOf(one.purpose);
      const affords = tokens(scope, one);
      if (affords > most) [best, most] = [scope, affords];
    }
    return best;
  }

  private amount({ quotes }: Scope, maxTokens: number): bigint {
    return holdAmountNanoCredit(quotes, {
      promptTokens: this.promptTokens,
      completionTokens: maxTokens * this.asked.choices,
    });
  }

  /** Per choice. */
  private affordableTokens({ quotes }: Scope, availableNanoCredit: bigint, maxTokens: number): number {
    const { choices } = this.asked;
    const tokens = affordableCompletionTokens(quotes, this.promptTokens, availableNanoCredit, maxTokens * choices);
    return Math.floor(tokens / choices);
  }

  /** With all that the wallet or the budget says: what is held by other requests comes back, what is spent does not. */
  private async tooLittle(error: DomainError, affordableTokens: number): Promise<DomainError> {
    const { maxTokens } = this.terms;
    if (error.code === "BUDGET_EXCEEDED") {
      const more =
        affordableTokens >= 1 ? ` It covers ${affordableTokens} output tokens of the ${maxTokens} asked for.` : "";
      return new DomainError(error.code, error.message + more, { details: { ...error.details, affordableTokens } });
    }
    const { limitField } = this.asked.operation;
    const { heldNanoCredit, spentNanoCredit } = await this.its.ledger.balance(this.viewer.organisationId);
    return new DomainError(
      "INSUFFICIENT_CREDITS",
      affordableTokens >= 1
        ? `The credit that is left covers ${affordableTokens} output tokens of the ${maxTokens} asked for. Lower ${limitField} or add credit.`
        : "The credit that is left does not cover this prompt. Add credit.",
      { details: { ...error.details, heldNanoCredit, spentNanoCredit, affordableTokens } },
    );
  }
}

const paid = (purpose: Purpose, credit: { freeNanoCredit: bigint; leasedNanoCredit: bigint }): PaidPurpose => ({
  purpose,
  creditNanoCredit: credit.freeNanoCredit + credit.leasedNanoCredit,
});
