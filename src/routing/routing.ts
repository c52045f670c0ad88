/** The door to routing: knows the supply, chooses an endpoint per attempt, keeps what was learnt, explains what was decided. */
import type { RoutingCandidate } from "../../entities/routing-decision";
import { RoutingDecision } from "../../entities/routing-decision";
import type { RoutingOutcome } from "../../schema/enums";
import { organisationScope, requireKind, type Viewer } from "../accounts/viewer";
import type { Capacity } from "../capacity/capacity";
import type { EventBus } from "../events/event-bus";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError } from "../platform/errors";
import type { Log } from "../platform/log";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
import type { Pricing } from "../pricing/pricing";
import type { LiveState, RouteRequest } from "./candidate";
import {
  type BreakerState,
  beginAttempt,
  breakerState,
  endAttempt,
  type FailureKind,
  recordFailure,
  recordSuccess,
} from "./cooldown";
import { type Decision, DecisionLog } from "./decision-log";
import { type Loss, type LossFilter, readLosses } from "./losses";
import { pick } from "./pick";
import { type RefusalReason, refusalOf } from "./refusal";
import { RelaysTogether } from "./relays-together";
import { SlotQueue, type Waiting } from "./slot-queue";
import { type Route, readSupply, type Supply } from "./supply";
import { UtilizationMeter } from "./utilization";

export type { Decision } from "./decision-log";
export type { WaitEnd } from "./slot-queue";
export type { Route } from "./supply";

export interface RoutingDependencies {
  readonly db: Database;
  readonly bus: EventBus;
  readonly clock: Clock;
  /** For what lasts seconds: cooldowns, latencies, slots taken; the same when left out. */
  readonly realClock?: Clock;
  readonly log: Log;
  readonly capacity: Capacity;
  readonly pricing: Pricing;
  /** Name of this process among those that relay. */
  readonly instance: string;
  /** [0, 1); tests seed it. */
  readonly random?: () => number;
}

export interface Choice {
  readonly route: Route | null;
  /** Every candidate that was looked at, with the reason against it. */
  readonly candidates: readonly RoutingCandidate[];
}

export interface DecisionFilter {
  readonly startupId?: string | null;
  readonly model?: string | null;
  readonly outcome?: RoutingOutcome | null;
  readonly from?: Date | null;
  readonly to?: Date | null;
}

export interface EndpointFigures {
  readonly endpointId: string;
  readonly breaker: BreakerState;
  readonly inFlight: number;
}

export class Routing {
  private readonly dependencies: RoutingDependencies;
  private readonly live = new Map<string, LiveState>();
  private readonly decisionLog: DecisionLog;
  private readonly meter: UtilizationMeter;
  private readonly relays = new RelaysTogether();
  private readonly random: () => number;
  private readonly realClock: Clock;
  private readonly queue: SlotQueue<Route>;
  private supply: Supply = { byModel: new Map(), routes: [] };

  constructor(dependencies: RoutingDependencies) {
    this.dependencies = dependencies;
    this.decisionLog = new DecisionLog(dependencies.db, dependencies.log);
    this.meter = new UtilizationMeter(dependencies.instance);
    this.random = dependencies.random ?? Math.random;
    const { bus, clock, realClock = clock } = dependencies;
    this.realClock = realClock;
    this.queue = new SlotQueue({ nowMs: () => realClock.nowMs(), begin: (route) => this.attemptBegan(route) });
    bus.on("utilization.measured", (measurement) => {
      for (const sample of this.relays.heard(measurement, realClock.nowMs()))
        bus.publish("utilization.sampled", sample);
    });
  }

  /** Reads the supply again: on `supply.changed`, and each few seconds because windows open and close by the clock alone. */
  async refresh(): Promise<void> {
    this.supply = await readSupply(this.dependencies.db, await this.terms(), this.live);
    // Pauses end by the clock alone.
    if (this.queue.depth > 0) for (const endpointId of this.live.keys()) this.queue.handOver(endpointId);
  }

  /** What training endpoints offer of a model, fit or not: read anew each time, because jobs are rare and long. */
  async trainingRoutes(model: string): Promise<readonly Route[]> {
    const supply = await readSupply(this.dependencies.db, await this.terms(), new Map(), "TRAINING");
    return supply.byModel.get(model) ?? [];
  }

  private async terms() {
    const { capacity, pricing, clock } = this.dependencies;
    const at = clock.now();
    const [windows, fixings, cardOf] = await Promise.all([
      capacity.activeWindows(at),
      pricing.latestFixings(),
      pricing.rateCards.choose(at),
    ]);
    return { windows, fixings, cardOf, at };
  }

  /** Everything that offers the model, fit or not; undefined when nobody does. */
  routesOf(model: string): readonly Route[] | undefined {
    return this.supply.byModel.get(model);
  }

  /** Models with at least one route that could serve a small request, as `/v1/models` lists them. */
  routableModels(): ReadonlyMap<string, readonly Route[]> {
    const nowMs = this.realClock.nowMs();
    const models = new Map<string, readonly Route[]>();
    for (const [model, routes] of this.supply.byModel) {
      const request: RouteRequest = { model, promptTokensEstimate: 1, maxTokens: 1, excludeEndpointIds: new Set() };
      // An endpoint that is busy or cooling down this second is still on the list: the list is for planning.
      const fit = routes.filter((route) => passing(refusalOf(route, request, nowMs)));
      if (fit.length > 0) models.set(model, fit);
    }
    return models;
  }

  /** No I/O. The one endpoint to try next, or null with the reasons. */
  choose(routes: readonly Route[], request: RouteRequest): Choice {
    const nowMs = this.realClock.nowMs();
    const fit: Route[] = [];
    const candidates: RoutingCandidate[] = [];
    const queued = this.queue.depth > 0;
    for (const route of routes) {
      let refusal = refusalOf(route, request, nowMs);
      if (refusal === null && queued && this.queue.isAwaited(route)) refusal = "SATURATED";
      if (refusal === null) fit.push(route);
      candidates.push({ endpointId: route.endpointId, refusal });
    }
    return { route: pick(fit, nowMs, this.random) as Route | null, candidates };
  }

  /** No I/O. What `choose` answers or, where nothing is free now, what will be soonest: busy before resting. Null: nothing. */
  preferred(routes: readonly Route[], request: RouteRequest): Route | null {
    const { route, candidates } = this.choose(routes, request);
    if (route !== null) return route;
    const first = (refusal: RefusalReason) =>
      routes[candidates.findIndex((candidate) => candidate.refusal === refusal)];
    return first("SATURATED") ?? first("COOLING_DOWN") ?? null;
  }

  /**
   * For a request that `choose` found no route for: waits for a slot where an endpoint is merely busy, in turn with other
   * startups. What ends as served has its slot already: no attemptBegan, but attemptEnded.
   */
  wait(routes: readonly Route[], request: RouteRequest, startupId: string, maxMs: number): Waiting<Route> {
    return this.queue.wait(routes, request, startupId, maxMs);
  }

  get queueDepth(): number {
    return this.queue.depth;
  }

  attemptBegan(route: Route): void {
    const nowMs = this.realClock.nowMs();
    beginAttempt(route.live, nowMs);
    this.meter.inFlightChanged(route.endpointId, route.live.inFlight, nowMs);
  }

  attemptEnded(route: Route): void {
    endAttempt(route.live);
    this.meter.inFlightChanged(route.endpointId, route.live.inFlight, this.realClock.nowMs());
    // After what the attempt has taught: a slot of an endpoint that just failed is no gift.
    if (this.queue.depth > 0) setImmediate(() => this.queue.handOver(route.endpointId));
  }

  /** `latencyMs` to the first token; null for a whole answer, whose length says nothing about the endpoint's. */
  succeeded(route: Route, latencyMs: number | null): void {
    recordSuccess(route.live, latencyMs, this.realClock.nowMs());
  }

  failed(route: Route, kind: FailureKind, retryAfterMs?: number): void {
    recordFailure(route.live, kind, this.realClock.nowMs(), retryAfterMs);
  }

  delivered(route: Route, gpuNanos: bigint): void {
    this.meter.delivered(route.endpointId, gpuNanos, this.realClock.nowMs());
  }

  record(decision: Decision): void {
    this.decisionLog.add(decision);
  }

  /** Publishes one measurement per live endpoint; called each second by a process that relays. */
  measureUtilization(): void {
    const nowMs = this.realClock.nowMs();
    const at = this.dependencies.clock.now().toISOString();
    const seen = new Set<string>();
    for (const route of this.supply.routes) {
      if (route.endpointState !== "LIVE" || seen.has(route.endpointId)) continue;
      seen.add(route.endpointId);
      this.dependencies.bus.publish("utilization.measured", { ...this.meter.measure(route, nowMs), at });
    }
  }

  /** What this process has learnt of each live endpoint, for the metrics. */
  endpointFigures(): Iterable<EndpointFigures> {
    const nowMs = this.realClock.nowMs();
    const figures = new Map<string, EndpointFigures>();
    for (const { endpointId, endpointState, live } of this.supply.routes) {
      if (endpointState !== "LIVE" || figures.has(endpointId)) continue;
      figures.set(endpointId, { endpointId, breaker: breakerState(live, nowMs), inFlight: live.inFlight });
    }
    return figures.values();
  }

  get droppedDecisions(): number {
    return this.decisionLog.dropped;
  }

  drain(): Promise<void> {
    return this.decisionLog.drain();
  }

  /**
   * A startup's own decisions, a provider's those in which its endpoints were candidates, the operator's all.
   * Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT.
   */
  async decisions(viewer: Viewer | null, page: PageRequest, filter: DecisionFilter): Promise<Page<RoutingDecision>> {
    const { kind } = requireKind(viewer, "READ", "STARTUP", "PROVIDER", "OPERATOR");
    const query = this.dependencies.db.source.getRepository(RoutingDecision).createQueryBuilder("d");
    if (kind === "PROVIDER") {
      query.andWhere("d.providerIds @> :providerIds", { providerIds: [organisationScope(viewer, "READ", null)] });
    } else {
      const startupId = organisationScope(viewer, "READ", filter.startupId);
      if (startupId !== null) query.andWhere("d.startupId = :startupId", { startupId });
    }
    if (filter.model != null) query.andWhere("d.model = :model", { model: filter.model });
    if (filter.outcome != null) query.andWhere("d.outcome = :outcome", { outcome: filter.outcome });
    if (filter.from != null) query.andWhere("d.decidedAt >= :from", { from: filter.from });
    if (filter.to != null) query.andWhere("d.decidedAt < :to", { to: filter.to });
    return fetchPage(this.dependencies.db, query, page);
  }

  /** What others served although a provider offers the model, by reason. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT. */
  async losses(viewer: Viewer | null, filter: LossFilter): Promise<Loss[]> {
    requireKind(viewer, "READ", "PROVIDER", "OPERATOR");
    const providerId = organisationScope(viewer, "READ", filter.providerId);
    if (providerId === null) {
      throw new DomainError("BAD_USER_INPUT", "An operator has to name the provider.", { field: "providerId" });
    }
    return readLosses(this.dependencies.db, providerId, filter, this.dependencies.clock.now());
  }
}

function passing(refusal: RefusalReason | null): boolean {
  return refusal === null || refusal === "SATURATED" || refusal === "COOLING_DOWN";
}
