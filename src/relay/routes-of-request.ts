/** Where one request may go next: the best route that is free, or a slot in its turn where all are merely busy. */
import type { RoutingCandidate } from "../../entities/routing-decision";
import type { RouteRequest } from "../routing/candidate";
import type { Route } from "../routing/routing";
import type { Admission } from "./admission";
import type { ClientConnection } from "./client-connection";
import type { RelayContext } from "./context";

export class RoutesOfRequest {
  /** As they were at the first look, which explains the decision; later ones would only add ALREADY_TRIED. */
  candidates: readonly RoutingCandidate[] = [];
  /** The wait for a slot was in vain. */
  wereBusy = false;
  private readonly tried = new Set<string>();
  private readonly wanted: RouteRequest;
  private queuedMs = 0;

  constructor(
    private readonly relay: RelayContext,
    private readonly admission: Admission,
    private readonly client: ClientConnection,
  ) {
    this.wanted = {
      model: admission.model,
      promptTokensEstimate: admission.promptTokensEstimate,
      maxTokens: admission.maxTokens,
      excludeEndpointIds: this.tried,
      // A reroute, too, has to end where the credit pays.
      ...(admission.paidAccelerators === null ? {} : { accelerators: admission.paidAccelerators }),
    };
  }

  /** Its slot is taken: whoever gets it ends the attempt. */
  next(): Route | null {
    const { routing } = this.relay;
    const { route, candidates } = routing.choose(this.admission.routes, this.wanted);
    if (this.tried.size === 0) this.candidates = candidates;
    if (route !== null) routing.attemptBegan(route);
    return this.chosen(route);
  }

  /** As `next`, after a wait; null when it takes too long, and when no provider is merely busy. */
  async nextInTurn(): Promise<Route | null> {
    const { admission, client } = this;
    const { routing, config, admissionMetrics } = this.relay;
    const beganMs = performance.now();
    const leftMs = config.relay.queueWaitMs - this.queuedMs;
    const waiting = routing.wait(admission.routes, this.wanted, admission.startupId, leftMs);
    client.whenGone(() => waiting.leave());
    const end = await waiting.ended;
    client.whenGone(null);
    if (end.kind === "idle") return null;
    const waitedMs = performance.now() - beganMs;
    this.queuedMs += waitedMs;
    admissionMetrics.queueWait.observe({ end: end.kind }, waitedMs / 1_000);
    if (end.kind === "served") {
      if (!client.gone) return this.chosen(end.route);
      routing.attemptEnded(end.route);
      return null;
    }
    this.wereBusy = end.kind !== "left";
    if (this.wereBusy) admissionMetrics.refusals.inc({ cause: `queue_${end.kind}` });
    return null;
  }

  private chosen(route: Route | null): Route | null {
    if (route !== null) this.tried.add(route.endpointId);
    return route;
  }
}
